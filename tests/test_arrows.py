"""The import arrows and the sizes that the layout promises, read from the source without running it."""

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("networks", "datamodules", "pipeline")
# Each of these takes longer to import than `pipeline --help` may take in all.
HEAVY = {
    "SimpleITK",
    "albumentations",
    "av",
    "cv2",
    "h5py",
    "highdicom",
    "jsonargparse",
    "matplotlib",
    "mlflow",
    "monai",
    "nibabel",
    "numpy",
    "pandas",
    "pyarrow",
    "pycocotools",
    "pydicom",
    "pytorch_lightning",
    "safetensors",
    "scipy",
    "tables",
    "torch",
    "tqdm",
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def statements(node: ast.AST, *, at_import: bool) -> Iterator[ast.AST]:
    """All nodes below one; with at_import only those that run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if at_import and (isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or is_type_checking(child)):
            continue
        yield child
        yield from statements(child, at_import=at_import)


def imports(name: str, *, at_import: bool = False) -> set[str]:
    """The modules that a module imports, absolute; `from a import b` counts as a.b where that is a module."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8")), at_import=at_import):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found.update(f"{base}.{a.name}" if f"{base}.{a.name}" in MODULES else base for a in node.names)
    return found


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def crossings(package: str, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{name} imports {target}"
        for name in MODULES
        if within(name, package)
        for target in sorted(imports(name))
        if within(target, *forbidden)
    ]


def test_the_reader_sees_the_packages():
    assert {name.split(".")[0] for name in MODULES} == set(PACKAGES)
    assert "networks.base" in imports("networks.unet")
    assert "torch" in imports("networks.unet", at_import=True)


def test_networks_import_torch_alone():
    for name in MODULES:
        if within(name, "networks"):
            tops = {target.split(".")[0] for target in imports(name)}
            assert tops <= {"torch", "networks"} | sys.stdlib_module_names, name


def test_datamodules_never_import_networks_or_pipeline():
    assert crossings("datamodules", ("networks", "pipeline")) == []


def test_formats_import_nothing_of_their_siblings():
    siblings = tuple(
        name
        for name in MODULES
        if within(name, "datamodules") and name != "datamodules" and not within(name, "datamodules.formats")
    )
    assert crossings("datamodules.formats", siblings) == []
    # `from datamodules import x` names the package itself.
    assert [n for n in MODULES if within(n, "datamodules.formats") and "datamodules" in imports(n)] == []


def test_nothing_imports_the_command_line():
    assert [name for name in MODULES if name != "pipeline.__main__" and "pipeline.cli" in imports(name)] == []


def test_a_command_imports_heavy_libraries_inside_its_function():
    entries = [name for name in MODULES if within(name, "pipeline.commands", "pipeline.cli")]
    waiting, seen = list(entries), set(entries)
    while waiting:
        name = waiting.pop()
        parents = {name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)}
        targets = imports(name, at_import=True) | parents
        assert not {target.split(".")[0] for target in targets} & HEAVY, name
        new = {target for target in targets if target in MODULES} - seen
        waiting.extend(new)
        seen |= new


@pytest.mark.parametrize("name", MODULES)
def test_a_file_has_at_most_300_lines(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= 300


def test_the_median_file_is_under_200_lines():
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES.values()]
    assert statistics.median(length for length in lengths if length > 1) < 200
