"""Runs a protocol, prints its leaderboard, and plots the scores after each step. A second run computes nothing."""

import altair
import polars

import harness

run = harness.run("smoke", seeds=[0])
print(run.leaderboard.select("method", "average", "forgetting"))
print(run.samples("sequential", domain="math").select("prompt", "completion", "target", "score"))

again = harness.load_run(run.folder)
scores = again.scores.filter(polars.col("primary"))
lines = altair.Chart(scores).mark_line(point=True).encode(x="step:O", y="value:Q", color="domain:N", column="method:N")
lines.save("scores.svg")
