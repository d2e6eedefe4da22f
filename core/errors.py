"""Everything that can go wrong at the boundary, in one tree.

    MeaningSpaceError
    +-- UnknownTeacher          a reference string that names no teacher
    +-- TeacherUnavailable      the teacher exists, but its package, file or network does not
    +-- Unsupported             this teacher cannot do that (a pure table asked to encode, say)
    +-- UnknownItem             a word that the space does not hold and cannot make
    +-- InvalidVectors          NaN, ragged, empty, wrong shape
    +-- UnreadableFile          a file that is not what its name says
    +-- InvalidSpecification    a parameter outside its range
    +-- InvalidPath             one waypoint, twice the same, antipodal, no way through the graph
    +-- InvalidExpression       vector arithmetic that does not parse
    +-- StoreError              an artefact on disk that is damaged or from a newer version
    |   +-- Unwritable          a disk that is full, or that may not be written
    +-- InvalidStudent          a student's folder that is damaged, or from a newer version
    +-- TrainingFailed          a training that came to NaN or infinity; what was good is kept
    +-- NotEnoughMemory         a pass through a model that memory has no room for
    +-- JobFailed               the worker process reported an error or went away
    +-- Cancelled               somebody pressed stop; not a fault

Every message says what was found, what was expected, and how to mend it, in one line.
"""


class MeaningSpaceError(Exception):
    """Base of all errors that a person can cause and mend."""


class UnknownTeacher(MeaningSpaceError):
    """A reference string that names no teacher."""


class TeacherUnavailable(MeaningSpaceError):
    """The teacher is known, but its package, file or network is not there."""


class Unsupported(MeaningSpaceError):
    """The teacher or space cannot do what was asked of it."""


class UnknownItem(MeaningSpaceError):
    """A text that the space neither holds nor can encode."""


class InvalidVectors(MeaningSpaceError):
    """Vectors that are not finite, not rectangular, or not there."""


class UnreadableFile(MeaningSpaceError):
    """A file that does not hold what was expected."""


class InvalidSpecification(MeaningSpaceError):
    """A parameter outside the range in which it means something."""


class InvalidPath(MeaningSpaceError):
    """Waypoints between which no path of the chosen kind exists."""


class InvalidExpression(MeaningSpaceError):
    """Vector arithmetic that cannot be read."""


class StoreError(MeaningSpaceError):
    """An artefact on disk that cannot be trusted."""


class Unwritable(StoreError):
    """A file or folder that cannot be written; ``why`` as the system says it."""

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why


class InvalidStudent(MeaningSpaceError):
    """A student on disk that cannot be trusted."""


class TrainingFailed(MeaningSpaceError):
    """A training that cannot go on; its last good checkpoint is kept."""


class NotEnoughMemory(MeaningSpaceError):
    """A pass through a model that does not fit into memory, even row by row."""


class JobFailed(MeaningSpaceError):
    """A job in the worker process ended with an error, or the process is gone."""


class Cancelled(MeaningSpaceError):
    """The progress callback answered False."""


def reason_of(fault: BaseException, most: int = 160) -> str:
    """What a library says of a fault, on one line and cut; its kind where it says nothing.

    >>> reason_of(ValueError("no\\n  header")), reason_of(KeyError())
    ('no header', 'KeyError')
    """
    return " ".join(str(fault).split())[:most] or type(fault).__name__


def unwritable(place: object, fault: OSError) -> Unwritable:
    """What to raise where a file or folder cannot be written."""
    why = str(fault.strerror or fault)
    return Unwritable(
        f"found that {place} cannot be written ({why}); expected a folder with space left: free "
        "some, or choose another",
        why,
    )
