"""Requests made from the OpenAPI description of ``multicam live``, as it allows and as it does not."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from benchmarks.live_fuzz_server import SILENT_SECONDS, Answers, Server
from tracker.errors import InputError

__all__ = ["fuzz_schema"]


def fuzz_schema(server: Server, examples: int, seed: int, progress: Callable[[int, int], None]) -> Answers:
    """Ask every operation so many times with what its description allows, and as often with what it does not.

    An answer whose code, kind or content the description does not name counts as an error, like 5xx.

    Raises:
        InputError: schemathesis is not installed.
    """
    try:
        import hypothesis
        import requests
        import schemathesis
        from schemathesis import GenerationMode
        from schemathesis.checks import not_a_server_error
        from schemathesis.specs.openapi.checks import (
            content_type_conformance,
            response_schema_conformance,
            status_code_conformance,
        )
    except ImportError:
        raise InputError(
            "schemathesis is missing: pip install 'multicam-tracker[fuzz]', or give --examples 0"
        ) from None

    answers = Answers("OpenAPI")
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    described = requests.get(f"{server.url}/api/openapi.json", headers=server.headers, timeout=SILENT_SECONDS).json()
    operations = [found.ok() for found in schemathesis.openapi.from_dict(described).get_all_operations()]
    session = requests.Session()
    session.trust_env = False

    def ask(case: schemathesis.Case) -> None:
        began, code = time.perf_counter(), 0
        what = f"{case.method} {case.formatted_path}"
        problem = ""
        try:
            answer = case.call(base_url=server.url, session=session, headers=server.headers, timeout=SILENT_SECONDS)
            code = answer.status_code
            case.validate_response(answer, checks=checks)
        except requests.Timeout:
            answers.add(None, time.perf_counter() - began, what)
            return
        except requests.ConnectionError:
            code = 0
        except AssertionError as error:
            problem = " ".join(str(error).split())[:300]
        except BaseExceptionGroup as error:
            problem = " ".join(" ".join(str(part) for part in error.exceptions).split())[:300]
        except schemathesis.errors.SchemathesisError as error:
            # The description itself is wrong.
            problem = " ".join(str(error).split())[:300]
        answers.add(599 if problem and code < 500 else code, time.perf_counter() - began, f"{what} {problem}")

    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    for place, (operation, mode) in enumerate((one, mode) for one in operations for mode in modes):
        settings = hypothesis.settings(
            max_examples=examples, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate],
        )  # fmt: skip
        run = hypothesis.given(operation.as_strategy(generation_mode=mode))(ask)
        # What takes nothing cannot be given anything wrong.
        with contextlib.suppress(hypothesis.errors.Unsatisfiable, hypothesis.errors.InvalidArgument):
            hypothesis.seed(seed)(settings(run))()
        progress(place + 1, 2 * len(operations))
    return answers
