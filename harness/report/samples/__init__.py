"""The browser of samples in the report."""
