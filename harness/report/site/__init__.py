"""The leaderboard site: static pages, tables and downloads from kept records. They work from a file and on any host."""
