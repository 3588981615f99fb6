"""LaTeX made readable, and nothing else touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.render import readable


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r"$\alpha<\beta$", "α<β"),
        ("the L_2 norm", "the L₂ norm"),
        (r"Schr\"odinger, G\"{o}del, \v{S}ipka", "Schrödinger, Gödel, Šipka"),
        (r"\textbf{Bold} and \emph{plain}", "Bold and plain"),
        (r"$O(n^2)$ and $x_{t+1}$ in $\mathbb{R}^n$", "O(n²) and xₜ₊₁ in ℝⁿ"),
        (r"$\|x\|_2$", "‖x‖₂"),
        (r"the loss $$\mathcal{L} = \sum_k \ell_k$$ is", "the loss ℒ = ∑ₖ ℓₖ is"),
        (r"$\sum_{i=1}^{n} w_i$ and $\max_{x} f$", "∑ᵢ₌₁ⁿ wᵢ and maxₓ f"),
        (r"$O(n \log n)$ and $\log \alpha$", "O(n log n) and log α"),
        (r"$\alpha < \beta$, $a \times b$", "α < β, a × b"),
        (r"$x \in \mathbb{R}^{d}$", "x ∈ ℝᵈ"),
        (r"$x \leq \sqrt{2\pi}$", "x ≤ √(2π)"),
        (r"$\alpha \beta$ and $\bar \alpha$", "αβ and α̅"),
        (r"$\theta_{\text{old}}$", "θ_old"),
        (r"an $\epsilon$-greedy $k$-means", "an ϵ-greedy k-means"),
        (r"\frac{1}{2} of 5\%", "1/2 of 5%"),
        (r"as shown \cite{doe2020}.", "as shown."),
    ],
)
def test_formulas_and_commands_become_readable(written: str, shown: str) -> None:
    assert shown == readable(written)


@pytest.mark.parametrize(
    "text",
    [
        "$a<b$ and $c>d$",
        "from $5 to $10, 50% off",
        "costs $5, and $10 more",
        r"C:\new\folder",
        "snake_case_1 and __init__",
        r"\newcommand{\foo}{bar}",
        "{{7*7}} and {% raw %}",
        "$$x$$",
        "\\",
    ],
)
def test_what_is_not_certainly_latex_stays_as_it_is(text: str) -> None:
    assert text == readable(text)


@given(st.text(alphabet=st.sampled_from("ab1 \\${}_^%&\"'|<>α\n"), max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    assert isinstance(readable(text), str)


@pytest.mark.parametrize("piece", ["$", "\\", "a_", "{", "\\text{", "$a_{", "\\cite{a}", "^"])
def test_200000_characters_of_anything_do_not_hang(piece: str) -> None:
    assert isinstance(readable(piece * (200_000 // len(piece))), str)
