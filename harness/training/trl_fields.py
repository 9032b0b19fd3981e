"""The fields of TRL's configs, read without importing TRL, so that `harness validate` is fast."""

from __future__ import annotations

from harness._util.dataclass_fields import declared_fields, package_folder


def config_fields(name: str) -> frozenset[str]:
    """Returns the names of all fields of TRL's config class `name`, including inherited ones.

    Raises LookupError if TRL is not installed or has no such class.
    """
    arguments = package_folder("transformers") / "training_args.py"
    configs = sorted((package_folder("trl") / "trainer").glob("*_config.py"))
    return declared_fields(name, (arguments, *configs))
