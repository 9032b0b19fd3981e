"""The config of the engine `ray`."""

from __future__ import annotations

from pydantic import Field, field_validator

from harness import Config


class RayConfig(Config):
    """Which Ray cluster runs the steps."""

    address: str = Field(
        default="auto",
        description="`HOST:PORT` of the cluster's head; `auto`: the cluster that this machine belongs to, else a new"
        " one on this machine; `local`: a new one on this machine",
    )
    connect_seconds: float = Field(default=10, gt=0, description="how long to wait for the address to answer")
    store_seconds: float = Field(
        default=60, gt=0, description="how long each machine may take at the start to see the store"
    )

    @field_validator("address")
    @classmethod
    def _check_address(cls, address: str) -> str:
        if address in ("auto", "local"):
            return address
        if "://" in address:
            raise ValueError("Ray Client is not supported: run harness on a machine of the cluster, with HOST:PORT")
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise ValueError("should be HOST:PORT, auto or local")
        return address
