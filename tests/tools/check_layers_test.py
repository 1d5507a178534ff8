#!/usr/bin/env python3
"""Each rule of tools/check_layers, broken on purpose in a small tree, is reported with its line."""

import pathlib
import subprocess
import sys
import tempfile

CHECKER = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check_layers"

GOOD = {
    "spool.hpp": "#include <spool/graph/tape.hpp>\n",
    "graph/tape.hpp": "#include <vector>\n",
    "graph/plan/fuse.hpp": "#include <spool/graph/tape.hpp>\n",
    "graph/run/run.hpp": "#include <spool/graph/plan/fuse.hpp>\n",
    "ops/kernels/gemm.hpp": "",
    "ops/matmul.hpp": '#include <spool/graph/tape.hpp>\nconstexpr OpDef matmul_op{\n    .name = "matmul",\n',
    "ops/matmul.cpp": "#include <spool/ops/matmul.hpp>\n#include <spool/ops/kernels/gemm.hpp>\n",
    "layers/lstm.hpp": "#include <spool/ops/matmul.hpp>\n",
    "optim/sgd.hpp": "#include <spool/ops/matmul.hpp>\n",
    "tests/some_test.cpp": '#include <spool/ops/kernels/gemm.hpp>\n#include "catch.hpp"\n',
    "examples/shared/study.hpp": "#include <spool/spool.hpp>\n",
    "tests/examples/study_test.cpp": '#include "../../examples/shared/study.hpp"\n',
    "tests/ops/rows.cpp": '#include <spool/spool.hpp>\n#include "../catch.hpp"\n',
}

BROKEN = [  # file, text, what must be reported
    ("graph/a.cpp", "\n#include <spool/ops/matmul.hpp>\n", "graph/a.cpp:2: graph may include only graph;"),
    ("graph/a.cpp", "#include <spool/graph/run/run.hpp>\n", "graph/a.cpp:1: graph may include only graph;"),
    ("graph/plan/a.cpp", "#include <spool/graph/run/run.hpp>\n", "graph/plan/a.cpp:1: graph/plan may include"),
    ("ops/kernels/a.cpp", "#include <spool/graph/tape.hpp>\n", "ops/kernels/a.cpp:1: ops/kernels may include"),
    ("ops/conv.hpp", "# include <spool/ops/kernels/gemm.hpp>\n", "ops/conv.hpp:1: kernels are not installed"),
    ("layers/a.cpp", "#include <spool/optim/sgd.hpp>\n", "layers/a.cpp:1: layers may include only"),
    ("layers/a.cpp", "#include <spool/ops/none.hpp>\n", "layers/a.cpp:1: <spool/ops/none.hpp> does not exist"),
    ("examples/a/b.cpp", "#include <spool/ops/kernels/gemm.hpp>\n", "examples/a/b.cpp:1: examples may include"),
    ("tests/a_test.cpp", '#include "../graph/tape.hpp"\n', "tests/a_test.cpp:1: \"../graph/tape.hpp\" leaves"),
    ("tests/a_test.cpp", '#include "../examples/names/a.hpp"\n', "tests/a_test.cpp:1: \"../examples/names/a.hpp\" leaves"),
    ("bench/a.cpp", '#include "../examples/shared/study.hpp"\n', "bench/a.cpp:1: \"../examples/shared/study.hpp\" leaves"),
    ("ops/a.cpp", '#include "matmul.hpp"\n', "ops/a.cpp:1: write <spool/...>"),
    ("graph/tape.hpp", "#include <spool/graph/tape.hpp>\n", "graph/tape.hpp:1: headers include each other"),
    ("graph/plan/a.cpp", "if (op == matmul_op) {}\n", "graph/plan/a.cpp:1: graph/plan reads"),
    ("graph/plan/a.cpp", 'if (op.name == "matmul"sv) {}\n', "graph/plan/a.cpp:1: graph/plan reads"),
]


def run(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, CHECKER, folder], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout


def main():
    failures = []
    if run(GOOD) != (0, ""):
        failures.append(f"a good tree is refused: {run(GOOD)}")
    for name, text, expected in BROKEN:
        status, output = run(GOOD | {name: text})
        if status != 1 or expected not in output:
            failures.append(f"expected {expected!r}, got {status} {output!r}")
    two = {"graph/b.hpp": "#include <spool/graph/c.hpp>\n", "graph/c.hpp": "#include <spool/graph/b.hpp>\n"}
    if "graph/b.hpp -> graph/c.hpp -> graph/b.hpp" not in run(GOOD | two)[1]:
        failures.append("a circle of two headers is not seen")
    print("\n".join(failures) or f"{len(BROKEN) + 2} cases")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
