"""From a protocol to nodes with content keys, their costs and their requirements."""
