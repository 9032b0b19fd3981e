"""`harness report`: a run as one HTML page with figures. Nothing else of the harness imports this."""
