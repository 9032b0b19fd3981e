"""Loading and validation of protocol files. All problems are reported together, with line, key and close matches."""

from harness.protocol.data import DeclaredColumn, DeclaredDomain, MergeStep, Protocol, RecoverStep, Step, TrainStep
from harness.protocol.faults import ProtocolPluginError
from harness.protocol.load import find_protocol, load_protocol
from harness.protocol.plugin_uses import config_of, instance_of
from harness.protocol.single_plugin import resolve_plugin

__all__ = [
    "DeclaredColumn",
    "DeclaredDomain",
    "MergeStep",
    "Protocol",
    "ProtocolPluginError",
    "RecoverStep",
    "Step",
    "TrainStep",
    "config_of",
    "find_protocol",
    "instance_of",
    "load_protocol",
    "resolve_plugin",
]
