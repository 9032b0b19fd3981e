"""Caches the judge's answers on disk, so that no question is asked twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

from harness.domains.judge.config import JudgeConfig
from harness.errors import UsageError


def answer_key(config: JudgeConfig, rubric: str, prompt: str, *texts: str) -> str:
    """Returns a hash of everything that an answer depends on: server, model, rubric, sampling, the prompt, and the
    judged texts in their order."""
    parts = [
        config.endpoint.rstrip("/"),
        config.model,
        rubric,
        config.temperature,
        config.max_tokens,
        prompt,
        *texts,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class AnswerCache:
    """A table of answers by key. Threads and processes may share one file. With None, answers are kept in memory."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._where = path.expanduser() if path else ":memory:"
        try:
            if isinstance(self._where, Path):
                self._where.parent.mkdir(parents=True, exist_ok=True)
            self._table = sqlite3.connect(self._where, timeout=60, check_same_thread=False, isolation_level=None)
            self._table.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL)")
        except (sqlite3.Error, OSError) as error:
            raise self._fault(error) from error

    def known(self, keys: Iterable[str]) -> dict[str, str]:
        """Returns the cached answers by key; keys without an answer are left out."""
        with self._lock:
            try:
                found = {}
                for key in keys:
                    row = self._table.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
                    if row is not None:
                        found[key] = row[0]
                return found
            except sqlite3.Error as error:
                raise self._fault(error) from error

    def keep(self, key: str, answer: str) -> None:
        """Writes one answer immediately, so that a killed run does not lose it."""
        with self._lock:
            try:
                self._table.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, answer))
            except sqlite3.Error as error:
                raise self._fault(error) from error

    def close(self) -> None:
        with self._lock:
            self._table.close()

    def _fault(self, error: Exception) -> UsageError:
        return UsageError(
            f"the judge's cache cannot be used: {error}",
            where=str(self._where),
            hint="set another file as the judge's `cache`, or turn it off: `cache: null`",
        )
