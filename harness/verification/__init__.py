"""Checks kept records without training or loading a model: keys, scores, means, intervals and ranks.

`keeping` selects what a record keeps of its run for this, `kept_lines` reads it. A record that came from elsewhere is
untrusted: files have size limits, only names that a record can have are opened, and only installed plugins are used.
"""
