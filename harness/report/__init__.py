"""`harness report`: renders a run as one HTML page with figures, and leaderboards as tables."""
