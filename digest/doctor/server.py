"""Does the mail server take us in? TLS and login, without a mail."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from functools import partial

from digest.doctor import Finding, State

_TIMEOUT = 20.0


def examine(host: str, port: int, security: str, username: str, password: str) -> Finding:
    """Connect, start TLS and log in, as a pass would."""
    told = partial(Finding, subject=f"SMTP server {host}:{port}")
    context = ssl.create_default_context()
    client: smtplib.SMTP | None = None
    try:
        if security == "tls":
            client = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT, context=context)
        else:
            client = smtplib.SMTP(host, port, timeout=_TIMEOUT)
        if security == "starttls":
            client.starttls(context=context)
        if username:
            client.login(username, password)
        code, answer = client.noop()
        said = answer.decode("utf-8", "replace")
    except ssl.SSLCertVerificationError as error:
        cure = "give smtp.host the name that its certificate has, or renew that"
        return told(state=State.WRONG, told=error.verify_message, cure=cure)
    except smtplib.SMTPAuthenticationError as error:
        said = (
            error.smtp_error.decode("utf-8", "replace")
            if isinstance(error.smtp_error, bytes)
            else ""
        )
        cure = "correct smtp.username and smtp.password"
        return told(
            state=State.WRONG, told=f"refused the login: {error.smtp_code} {said}", cure=cure
        )
    except smtplib.SMTPNotSupportedError as error:
        cure = "see smtp.security: 587 wants starttls, 465 wants tls"
        if "AUTH" in str(error):
            cure += "; or leave smtp.username empty"
        return told(state=State.WRONG, told=str(error), cure=cure)
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        cure = "correct smtp.host, smtp.port and smtp.security, or ask whoever runs the server"
        return told(state=State.WRONG, told=str(error) or type(error).__name__, cure=cure)
    finally:
        if client:
            with suppress(smtplib.SMTPException, OSError):
                client.quit()
    how = "no encryption" if security == "none" else "encrypted"
    how += ", logged in" if username else ", no login asked for"
    return told(state=State.GOOD if code == 250 else State.WRONG, told=f"{how}: {code} {said}")
