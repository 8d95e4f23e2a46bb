"""Fixtures that several rooms' tests share."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

# The same examples each time, and no limit to how long one takes: a machine may be slow or busy.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with photos, captions and weights that lies beside a developer's checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data" / "captions_val.json").exists():
        pytest.skip("needs the training data in a folder beside the checkout, absent here")
    return folder


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[Any, Path]]:
    """`exported(kind, format)`: a model of KINDS and the folder that holds it."""
    pytest.importorskip("onnxscript")
    from captioner.export.run import export
    from tests.export.kinds import KINDS, model_of_kind

    @cache
    def make(kind: str, format: Any) -> tuple[Any, Path]:
        model, folder = model_of_kind(**KINDS[kind]), tmp_path_factory.mktemp("export")
        export(model, folder, format)
        return model, folder

    return make


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Seven pictures that have little in common."""
    rng = np.random.default_rng(0)
    pictures = []
    for i in range(7):
        width, height = rng.integers(20, 120, 2).tolist()
        blocks = rng.integers(0, 256, (2 + i, 3, 3), dtype=np.uint8)
        pictures.append(Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST))
    return pictures


@pytest.fixture(scope="session")
def tiny_captioner() -> Any:
    """The captioner of an untrained model whose sentences differ from picture to picture."""
    from captioner import Captioner
    from captioner.engines.torch import TorchEngine
    from tests.tiny import tiny_model

    return Captioner(TorchEngine(tiny_model(), "tiny"))


# What takes most of the time: Java, browsers, Ray, runs that are killed and resumed, training
# from its start to its end, exports. `make quick` (`pytest --quick`) leaves it to `make test`.
LONG = (
    *("batch/test_ray.py", "batch/test_resume.py", "batch/test_sidecars.py", "data/", "engines/"),
    *("evaluation/test_clip.py", "evaluation/test_evaluate_command.py"),
    *("evaluation/test_from_python.py", "evaluation/test_human_and_systems.py"),
    *("evaluation/test_report_page.py", "evaluation/test_scorers.py"),
    *("evaluation/test_several.py", "export/", "page/", "test_light_install.py"),
    *("test_torchvision_import.py", "experiments/test_family.py", "training/test_processes.py"),
    *("experiments/test_sequences.py", "training/test_teach.py", "training/test_train_command.py"),
    *("training/test_training.py", "training/test_training_resume.py"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave out what takes long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--quick"):
        return
    here = Path(__file__).parent
    long = [item for item in items if item.path.relative_to(here).as_posix().startswith(LONG)]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in set(long)]
