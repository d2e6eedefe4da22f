"""The rival of the first map: Embedding Atlas, in an environment of its own, as a command."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.request import Request, urlopen

from benchmarks.processes import environment, free_port, server
from core.pipeline import Workspace

PROGRAM = Path("build/rival/bin/embedding-atlas")
MEGABYTES = "megabytes handed out"  # the one entry of a run that is not in seconds


def run(program: Path, data: Path, folder: Path, numba: Mapping[str, str]) -> dict[str, float]:
    """Seconds to: its server answering, and the coordinates of all points handed out."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/data"
    command = [str(program), str(data), "--vector", "vector", "--text", "text"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--no-auto-port"]
    alone = environment(XDG_CACHE_HOME=str(folder), HF_HUB_OFFLINE="1", **numba)
    with server(command, folder / "rival.log", alone) as served:
        answered = served.until_answers(f"{address}/metadata.json")
        sql = "SELECT projection_x, projection_y FROM dataset"
        body = json.dumps({"type": "arrow", "sql": sql}).encode()
        request = Request(f"{address}/query", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            size = len(answer.read())
        return {
            "server_answers": answered,
            "data_handed_out": served.seconds(),
            MEGABYTES: size / 1e6,
        }


def write_data(file: Path, teacher: str) -> tuple[int, int]:
    """The same items as Parquet, a column of texts and one of vectors; rows and dimensions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        space = Workspace(Path(folder)).space(teacher)
        flat = pa.array(space.vectors.ravel(), pa.float32())
        vectors = pa.FixedSizeListArray.from_arrays(flat, space.dim)
        pq.write_table(pa.table({"text": list(space.texts), "vector": vectors}), file)
        return len(space), space.dim


def versions(program: Path) -> dict[str, str]:
    """What stands in the rival's environment."""
    wanted = ("embedding-atlas", "umap-learn", "pynndescent", "numba", "numpy", "duckdb", "torch")
    script = (
        "import json, sys; from importlib.metadata import version; "
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    python = program.parent / "python"
    done = subprocess.run([python, "-c", script, *wanted], capture_output=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found
