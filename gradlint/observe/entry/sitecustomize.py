"""Python imports this module when it starts, if its folder is on PYTHONPATH: it arms the probe and then leaves no trace.

An environment has at most one `sitecustomize`, so the one that this module hides is imported after all.
"""


def _step_aside(folder: str) -> None:
    """Take the folder of this module off the path, and import the module that it hides, if there is one."""
    import importlib.util
    import os
    import sys
    from importlib.machinery import PathFinder

    sys.path[:] = [each for each in sys.path if os.path.abspath(each) != folder]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


def _arm(folder: str) -> None:
    """Load the probe under a private name, so that nothing of gradlint becomes importable for the program."""
    import importlib.util
    import os
    import sys

    home = os.path.join(os.path.dirname(folder), "probe")  # noqa: PTH118, PTH120
    spec = importlib.util.spec_from_file_location(
        "_gradlint_probe",
        os.path.join(home, "__init__.py"),  # noqa: PTH118
        submodule_search_locations=[home],
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["_gradlint_probe"] = module
    spec.loader.exec_module(module)
    module.arm()


def _begin() -> None:
    import os
    import sys

    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH120
    try:
        if os.environ.get("GRADLINT_OBSERVE"):
            _arm(folder)
    except Exception as error:
        print(f"gradlint: the run is not observed: {error}", file=sys.stderr)
    _step_aside(folder)


_begin()
