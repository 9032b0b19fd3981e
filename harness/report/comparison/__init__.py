"""The comparison of two runs as a page and as a figure."""
