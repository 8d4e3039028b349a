import pytest
from loguru import logger

from hean.app.cli import load_settings
from hean.app.log import configure_logging, redact


@pytest.mark.parametrize(
    "text", ["api_key=abc123", "API-SECRET: abc123", "token = abc123", "signature=abc123"]
)
def test_secrets_are_redacted(text: str) -> None:
    """The value of whatever looks like a secret never comes out."""
    assert "abc123" not in redact(text)
    assert redact(text).endswith("***")


def test_the_rest_stays() -> None:
    """A text without a secret is left as it is."""
    assert redact("price=100 quantity=2") == "price=100 quantity=2"


def test_logs_go_to_stderr_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings come on standard error without secrets, and less important lines do not."""
    configure_logging()
    logger.info("quiet")
    logger.warning("sent with api_key=abc123")
    logger.remove()
    out, err = capsys.readouterr()
    assert out == ""
    assert "sent with api_key=***" in err
    assert "quiet" not in err


def test_the_level_is_a_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """A command logs what LOG_LEVEL asks for, and nothing less important."""
    for level in ("ERROR", "DEBUG"):
        load_settings([f"LOG_LEVEL={level}"])
        logger.debug(f"told at {level}")
    logger.remove()
    err = capsys.readouterr().err
    assert "told at DEBUG" in err
    assert "told at ERROR" not in err
