"""The client of an LLM as judge: concurrent requests, retries, and a cache.

The protocol is OpenAI's chat completions, which vLLM, SGLang, llama.cpp and hosted services support. The API key comes
from an environment variable and is sent in the request's header only.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from harness._util.json_reading import parse_json
from harness.domains.judge.answers import fill, parse_score, prompt_text, without_thinking
from harness.domains.judge.cache import AnswerCache, answer_key
from harness.domains.judge.config import JudgeConfig
from harness.domains.judge.verdicts import Comparison, Verdict, parse_verdict
from harness.errors import Problem, StepFailed
from harness.plugin.interfaces import RewardResult

if TYPE_CHECKING:
    import httpx2

_PASSING_STATUS = frozenset({408, 409, 425, 429})
_EXCERPT = 120
_NO_CONTENT = "the judge's server returned a chat completion without content"
_TRIAL_S = 20.0
"""The longest time to wait for the judge's answer to the test question before a run starts, in seconds."""
_NO_SCORE = "the judge's answer does not end in a score"
_NO_VERDICT = "the judge's answer does not end in a verdict"


@dataclass
class _Failure(Exception):
    """A failed request.

    again: whether a retry may succeed. late: whether it timed out. wait_s: the seconds that the server asks to wait.
    """

    detail: str
    again: bool = True
    late: bool = False
    wait_s: float = 0.0


class JudgeClient:
    """Asks a judge for scores and comparisons.

    Args:
        config: the judge's server, rubric, sampling, retries and cache.
        sleep, now: replaced in tests.
    """

    def __init__(
        self,
        config: JudgeConfig,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self._sleep, self._now = sleep, now
        self._cache: AnswerCache | None = None
        self._lock = threading.Lock()
        self._given_up = 0

    def scores(self, prompts: Sequence[Any], completions: Sequence[str]) -> list[RewardResult]:
        """Returns one result per row, in order: the score, an error, or a time-out if the last attempt timed out.

        Equal questions are asked once, and not at all if the answer is cached. Raises UsageError if the cache cannot be
        used.
        """
        pairs = [
            (prompt_text(prompt), self._judged(completion))
            for prompt, completion in zip(prompts, completions, strict=True)
        ]
        rubric = self.config.rubric
        keys = [answer_key(self.config, rubric, *pair) for pair in pairs]
        questions = {
            key: fill(rubric, prompt=prompt, completion=completion)
            for key, (prompt, completion) in zip(keys, pairs, strict=True)
        }
        answers = self._answers(questions)
        return [_score(answers[key]) for key in keys]

    def comparisons(
        self, prompts: Sequence[Any], texts: Sequence[str], references: Sequence[str], *, rubric: str
    ) -> list[Comparison | RewardResult]:
        """Compares each text with its reference, in both orders.

        Args:
            rubric: the judge's instructions, with `{prompt}`, `{first}` and `{second}`, in place of the config's.

        Returns one result per row, in order; if one of the two orders has no verdict, its error or time-out. Each
        question is asked at most once, as by `scores`. Raises UsageError if the cache cannot be used.
        """
        keys: list[tuple[str, str]] = []
        questions: dict[str, str] = {}
        for prompt, text, reference in zip(prompts, texts, references, strict=True):
            question, one, other = prompt_text(prompt), self._judged(text), self._judged(reference)
            pair = (
                answer_key(self.config, rubric, question, one, other),
                answer_key(self.config, rubric, question, other, one),
            )
            keys.append(pair)
            questions[pair[0]] = fill(rubric, prompt=question, first=one, second=other)
            questions[pair[1]] = fill(rubric, prompt=question, first=other, second=one)
        answers = self._answers(questions)
        return [_comparison(answers[one], answers[other]) for one, other in keys]

    def require_all(self, results: Sequence[RewardResult | Comparison]) -> None:
        """Raises StepFailed if the judge gave no score or verdict for one of the results.

        For evaluations: a mean over the other items would be the score of a different test set.
        """
        failed = [result for result in results if isinstance(result, RewardResult) and result.value is None]
        if not failed:
            return
        unreadable = all(result.detail.startswith((_NO_SCORE, _NO_VERDICT)) for result in failed)
        raise StepFailed(
            f"{len(failed)} of {len(results)} answers could not be judged; the last one: {failed[-1].detail}",
            where=f"{self.config.model} at {self.config.endpoint}",
            hint=f"raise the judge's max_tokens, correct its rubric, or delete {self.config.cache} to ask again"
            if unreadable
            else "is the judge's server up? Answers so far are stored: run the same command again",
        )

    def faults(self) -> Iterator[Problem]:
        """Sends the judge a test question, and yields a problem if it does not answer."""
        import httpx2

        config = self.config.model_copy(update={"timeout_s": min(self.config.timeout_s, _TRIAL_S), "max_tokens": 1})
        try:
            headers = _headers(config.api_key_variable)
            with httpx2.Client(headers=headers, timeout=config.timeout_s) as http:
                JudgeClient(config)._answer(http, "Say yes.")
        except ValueError as error:
            yield self._problem(str(error))
        except _Failure as failure:
            if failure.detail != _NO_CONTENT:  # one token may be no content yet
                yield self._problem(failure.detail)

    def _problem(self, detail: str) -> Problem:
        where = f"{self.config.model} at {self.config.endpoint}"
        return Problem(
            key="judge", message=f"{where}: {detail}", hint="is the judge's server up, and is the model's name right?"
        )

    def _judged(self, text: str) -> str:
        return without_thinking(text) if self.config.strip_thinking else text

    def _answers(self, questions: Mapping[str, str]) -> dict[str, str | RewardResult]:
        """Returns by key the answer to each question, from the cache if possible, or the failure."""
        if self._cache is None:
            self._cache = AnswerCache(self.config.cache)
        answers: dict[str, str | RewardResult] = dict(self._cache.known(questions))
        missing = [key for key in questions if key not in answers]
        if missing:
            answers |= zip(missing, self._put(missing, questions, self._cache), strict=True)
        return answers

    def _put(
        self, keys: Sequence[str], questions: Mapping[str, str], cache: AnswerCache
    ) -> Sequence[str | RewardResult]:
        import httpx2

        self._given_up = 0
        try:
            headers = _headers(self.config.api_key_variable)
        except ValueError as error:
            return [RewardResult.error(str(error))] * len(keys)
        with (
            httpx2.Client(headers=headers, timeout=self.config.timeout_s) as http,
            ThreadPoolExecutor(self.config.concurrency, thread_name_prefix="judge") as threads,
        ):
            return list(threads.map(lambda key: self._patiently(http, key, questions[key], cache), keys))

    def _patiently(self, http: httpx2.Client, key: str, text: str, cache: AnswerCache) -> str | RewardResult:
        if self._given_up >= self.config.give_up_after:
            return RewardResult.error(f"not sent to the judge, because {self._given_up} questions in a row failed")
        failure = _Failure("not tried")
        for attempt in range(self.config.attempts):
            if attempt:
                self._sleep(max(failure.wait_s, self._backoff(key, attempt)))
            try:
                answer = self._answer(http, text)
            except _Failure as failed:
                failure = failed
                if not failed.again:
                    break
            else:
                self._given_up = 0
                cache.keep(key, answer)
                return answer
        with self._lock:
            self._given_up += 1
        return (RewardResult.timeout if failure.late else RewardResult.error)(failure.detail)

    def _answer(self, http: httpx2.Client, text: str) -> str:
        """Returns the judge's answer. Raises _Failure if this attempt fails."""
        import httpx2

        body = {
            "model": self.config.model,
            "messages": [{"role": "user", "content": text}],
            "temperature": self.config.temperature,
            "max_tokens": self.config.max_tokens,
        }
        url = f"{self.config.endpoint.rstrip('/')}/chat/completions"
        try:
            response = http.post(url, content=json.dumps(body), headers={"Content-Type": "application/json"})
        except httpx2.TimeoutException as error:
            raise _Failure(f"the judge did not answer within {self.config.timeout_s:g} s", late=True) from error
        except httpx2.InvalidURL as error:
            raise _Failure(f"the judge's endpoint is not a URL: {error}", again=False) from error
        except httpx2.RequestError as error:
            raise _Failure(f"the judge cannot be reached: {type(error).__name__}") from error
        if not response.is_success:
            raise self._refusal(response)
        try:
            answer = parse_json(response.content)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError) as error:
            raise _Failure("the judge's server did not return a chat completion") from error
        if not isinstance(answer, str):
            raise _Failure(_NO_CONTENT)
        return answer

    def _refusal(self, response: httpx2.Response) -> _Failure:
        status = response.status_code
        wait_s = self._wished(response.headers.get("Retry-After", ""))
        detail = f"the judge's server answered {status} {response.reason_phrase}"
        if wait_s > self.config.longest_wait_s:
            return _Failure(f"{detail} and asks to wait {wait_s:g} s, more than longest_wait_s", again=False)
        return _Failure(detail, again=status in _PASSING_STATUS or status >= 500, wait_s=wait_s)

    def _wished(self, header: str) -> float:
        """Returns the seconds that a Retry-After asks for: a number, or a date (RFC 9110, section 10.2.3)."""
        try:
            return max(0.0, float(header))
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - self._now())
        except ValueError:
            return 0.0

    def _backoff(self, key: str, attempt: int) -> float:
        """Returns the seconds to wait before an attempt: doubling, minus a jitter of up to one half. The jitter is
        derived from the question, so that no global random generator is used."""
        share = hashlib.sha256(f"{key}/{attempt}".encode()).digest()[0] / 255
        return min(self.config.longest_wait_s, self.config.backoff_s * 2.0 ** (attempt - 1)) * (1 - share / 2)


def _comparison(one: str | RewardResult, other: str | RewardResult) -> Comparison | RewardResult:
    verdicts: list[Verdict] = []
    for answer in (one, other):
        if isinstance(answer, RewardResult):
            return answer
        verdict = parse_verdict(answer)
        if verdict is None:
            return RewardResult.error(f"{_NO_VERDICT}: …{answer[-_EXCERPT:]!r}")
        verdicts.append(verdict)
    return Comparison(text_first=verdicts[0], reference_first=verdicts[1])


def _score(answer: str | RewardResult) -> RewardResult:
    if isinstance(answer, RewardResult):
        return answer
    score = parse_score(answer)
    if score is None:
        return RewardResult.error(f"{_NO_SCORE}: …{answer[-_EXCERPT:]!r}")
    return RewardResult.ok(score)


def _headers(variable: str | None) -> dict[str, str]:
    """Returns the header with the API key. Raises ValueError with the variable's name, never its value."""
    if variable is None:
        return {}
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ValueError(f"the environment variable {variable}, which holds the judge's key, is not set")
    if not (key.isascii() and key.isprintable()):
        raise ValueError(f"the key in the environment variable {variable} has characters that are invalid in a header")
    return {"Authorization": f"Bearer {key}"}
