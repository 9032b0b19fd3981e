"""The figures of a report, one module each, in the order of the page."""
