"""torchvision is importable with and without its compiled operators, each in a fresh process."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

BREAK_THE_EXTENSION = """
import torch

def unloadable(path):
    raise OSError("no such extension")

torch.ops.load_library = unloadable
"""

BUILD_AND_RUN = """
import torch
from captioner.torchvision_import import torchvision

vision = torchvision()
assert torchvision() is vision
assert not vision.extension._has_ops()
photo = torch.zeros(1, 3, 64, 64)
for name in ("mobilenet_v3_large", "efficientnet_b0", "regnet_y_400mf"):
    net = vision.models.get_model(name, weights=None).eval()
    assert net(photo).shape == (1, 1000), name
drop = vision.ops.StochasticDepth(1.0, "row")
assert drop.train()(photo + 1).eq(0).all() and drop.eval()(photo + 1).eq(1).all()
try:
    vision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
except (RuntimeError, NotImplementedError):
    print("built")
"""

# A torchvision whose import works, standing in for the one of a matching build.
HEALTHY = """
import importlib.abc, importlib.util, sys, types

class Healthy(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    loads = 0
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == "torchvision" else None
    def exec_module(self, module):
        Healthy.loads += 1

sys.meta_path.insert(0, Healthy())
from captioner import torchvision_import
vision = torchvision_import.torchvision()
assert vision is sys.modules["torchvision"] is torchvision_import.torchvision()
assert Healthy.loads == 1
assert torchvision_import._declared == []
assert "torch" not in sys.modules
print("left alone")
"""

OTHER_FAILURE = """
import importlib.abc, importlib.util, sys

class Failing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == "torchvision" else None
    def exec_module(self, module):
        raise RuntimeError("compiled with different CUDA major versions")

sys.meta_path.insert(0, Failing())
from captioner import torchvision_import
try:
    torchvision_import.torchvision()
except RuntimeError as error:
    assert "CUDA" in str(error) and "torch" not in sys.modules
    print("passed on")
"""


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_backbones_build_where_the_extension_does_not_load() -> None:
    assert run(BREAK_THE_EXTENSION + BUILD_AND_RUN) == "built"


def test_without_the_declarations_that_import_fails() -> None:
    """Otherwise the test above would prove nothing, and the module could go."""
    failure = "try:\n    import torchvision\nexcept RuntimeError as error:\n    print(error)"
    assert run(BREAK_THE_EXTENSION + failure) == "operator torchvision::nms does not exist"


def test_healthy_import_is_left_alone() -> None:
    assert run(HEALTHY) == "left alone"


def test_other_failures_are_passed_on() -> None:
    assert run(OTHER_FAILURE) == "passed on"


def test_every_operator_described_unasked_is_declared() -> None:
    """A later torchvision that describes a third operator is noticed here."""
    from captioner.torchvision_import import _SCHEMAS

    spec = find_spec("torchvision")
    assert spec is not None and spec.origin is not None
    source = (Path(spec.origin).parent / "_meta_registrations.py").read_text()
    assert set(re.findall(r'register_fake\("torchvision::(\w+)"', source)) == set(_SCHEMAS)
