"""The other systems: their drivers are not part of Spool. Finds them, builds those that are C++, and says of each
that is absent why, and how to get it."""

import dataclasses
import glob
import pathlib
import subprocess

PYTHON = "/usr/bin/python3"  # Debian's, where python3-torch is
FAST = ["g++", "-O3", "-march=native", "-ffast-math"]
TORCH = "apt-get install --no-install-recommends python3-torch python3-numpy"


@dataclasses.dataclass(frozen=True)
class Build:
    """How a driver becomes a program: the compiler with its options, what to link, and the packages it needs."""

    source: str
    compiler: tuple
    link: tuple
    packages: str


BUILDS = {
    "lstm_floor": Build("lstm_floor.cpp", (*FAST,), (), "g++"),
    "onednn_rnn": Build(
        "onednn_rnn.cpp", (*FAST, "-fopenmp"), ("-lopenblas", "-ldnnl"), "libdnnl-dev libopenblas-openmp-dev"
    ),
    "libtorch_micro": Build(
        "libtorch_micro.cpp",
        ("g++", "-O3", "-march=native", "-std=c++17", "-fopenmp", "-I/usr/include/torch/csrc/api/include"),
        ("-ltorch", "-ltorch_cpu", "-lc10"),
        "libtorch-dev",
    ),
}
SCRIPTS = ("torch_rnn", "torch_tagger_tree")


class Peers:
    """`argv` has the start of each program's command line, `absent` the reason for each that can't run."""

    def __init__(self, folder, build, wanted, log):
        self.folder = pathlib.Path(folder)
        self.build = pathlib.Path(build)
        self.log = log
        self.argv = {}
        self.absent = {"dynet": "DyNet is not in Debian, and there is no driver for it"}
        wanted = [w for w in wanted if w not in self.absent]
        if not self.folder.is_dir():
            reason = f"there are no drivers in {self.folder}; name their folder with --peers"
            self.absent |= {name: reason for name in wanted}
            return
        for name in wanted:
            reason = self._find_script(name) if name in SCRIPTS else self._compile(name)
            if reason:
                self.absent[name] = reason

    def _find_script(self, name):
        script = self.folder / f"{name}.py"
        if not script.is_file():
            return f"{script} does not exist"
        if not pathlib.Path(PYTHON).exists():
            return f"{PYTHON} does not exist"
        check = subprocess.run([PYTHON, "-c", "import torch"], capture_output=True, check=False)
        if check.returncode != 0:
            return f"PyTorch is not installed: {TORCH}"
        self.argv[name] = [PYTHON, str(script)]
        return None

    def _compile(self, name):
        how = BUILDS[name]
        source, program = self.folder / how.source, self.build / name
        if not source.is_file():
            return f"{source} does not exist"
        self.argv[name] = [str(program)]
        if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
            return None
        self.log(f"building {name}")
        self.build.mkdir(parents=True, exist_ok=True)
        command = [*how.compiler, str(source), "-o", str(program), *how.link]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return "g++ is not installed: apt-get install g++"
        if done.returncode == 0:
            return None
        errors = [line for line in done.stderr.splitlines() if "error" in line or "cannot find" in line]
        needs = f"apt-get install --no-install-recommends {how.packages}"
        return f"{name} does not compile ({(errors or ['?'])[0]}): {needs}"


def openmp_blas():
    """The folder of Debian's OpenBLAS whose threads are OpenMP's, as are those of PyTorch and oneDNN: with the other
    one, two teams of threads fight for the cores. None when it is not installed (libopenblas0-openmp)."""
    found = glob.glob("/usr/lib/*/openblas-openmp/libopenblas.so.0")
    return str(pathlib.Path(found[0]).parent) if found else None


def versions(argv):
    """What is worth saying of the peers that run."""
    found = []
    if "torch_rnn" in argv or "torch_tagger_tree" in argv:
        asked = subprocess.run(
            [PYTHON, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True, check=False
        )
        found.append(f"PyTorch {asked.stdout.strip()}")
    for name, package in (("onednn_rnn", "libdnnl2"), ("libtorch_micro", "libtorch1.13")):
        if name not in argv:
            continue
        try:
            asked = subprocess.run(
                ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            continue
        found.append(f"{'oneDNN' if package == 'libdnnl2' else 'libtorch'} {asked.stdout.strip()}")
    return found
