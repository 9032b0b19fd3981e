"""Plots: what they show (`model`), as parts of a page (`markup`, plots.css and plots.js), and as files (`chart`)."""
