"""Readers of what others bring, tried on mutated files: each ends in a value or in one clear line.

A target is a function that reads a path, and one that writes the seeds, valid inputs from which the
mutations start:

    def seeds(folder: Path) -> None:
        np.save(folder / "a.npy", vectors)         # a seed is a file
        save_student(student, folder / "student")  # or a folder, one file of which is mutated

    TARGET = Target("students", seeds, load_student)

Add it to TARGETS in benchmarks/fuzz/targets.py. `make fuzz` runs them all; `python -m
benchmarks.fuzz students --cases 500` runs one. What broke a reader is kept below
tests/faults/kept/TARGET/, is a seed from then on, and is read again by every `make test`.
"""
