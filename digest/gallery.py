"""Editions made for looking at: every shape a mail can take, for anyone who edits a template.

Nothing here is a real paper, person or figure; all addresses are at example.org.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal

from digest.model import Edition, Entry, Paper, Reason, Section, Signals, as_share, flattened

DAY = date(2025, 3, 14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One edition, and what it is there to show."""

    name: str  #: of its files
    shows: str
    edition: Edition
    layout: Literal["ranked", "interests"] = "ranked"  #: as the subscriber chose


def _paper(number: int, title: str, abstract: str, **known: object) -> Paper:
    paper = Paper(
        title=title,
        abstract=abstract,
        id=number,
        uid=f"gallery-{number}",
        authors=("Author One", "Author Two"),
        published_on=DAY,
        url=f"https://example.org/papers/{number}",
    )
    return replace(paper, **known)  # type: ignore[arg-type]


EXPERTS = _paper(
    1,
    "SparseRoute++: Mixture of Experts with Experts That Cost Nothing",
    "Mixture-of-experts layers spend the same work on every token, though many tokens are easy. "
    "This sample paper gives the router three experts that compute nothing: one drops a token, one "
    "passes it on, one adds a learned constant. Easy tokens choose them, and hard ones are left "
    "with more of the budget. The sample text goes on for a few sentences, as abstracts do, so that "
    "it can be seen where a long one ends. It says that routing stays balanced, that nothing has "
    "to be tuned again, and that the idea works for small and for large models alike.",
    authors=("Author One", "Author Two", "Author Three", "Author Four", "Author Five"),
    organisation="A University",
    arxiv_id="2503.00001",
    repository="https://example.org/code/sparseroute",
    project_page="https://example.org/sparseroute",
)
ADAPTERS = _paper(
    2,
    "Low-Rank Adapters, Revisited: What Parameter-Efficient Fine-Tuning Forgets",
    "Parameter-efficient fine-tuning promises to leave a model as it was. This sample paper asks "
    "what is lost all the same. It fine-tunes with LoRA at several ranks, then tries the tasks the "
    "model knew before. Higher ranks learn more and forget more; the order of tasks matters less.",
    organisation="An Institute",
    arxiv_id="2503.00002",
)
RETRIEVAL = _paper(
    3,
    "Ask Twice: Retrieval That Checks Its Own Answers",
    "A system that looks things up may still answer from memory. Here it must point at the line "
    "that says so, and look again where it cannot.",
    authors=("Author One",),
    repository="https://example.org/code/ask-twice",
)
BENCHMARK = _paper(
    4,
    "A Small Benchmark for Long Memories",
    "Long contexts are easy to fill and hard to use. This sample paper hides a few plain facts in "
    "long conversations and asks for them much later. There is no trick question in it. A reader "
    "with a pencil gets all of them right.",
    authors=("Author One", "Author Two", "Author Three", "Author Four"),
    organisation="A Laboratory",
)
VISION = _paper(
    5,
    "Seeing Less: Token Pruning for Video Models",
    "Most of a video is what was there a moment ago. Tokens that did not change are left out before "
    "the first layer, and the model is told where they were.",
    authors=(),
    author_count=7,
)
AGENTS = _paper(
    6,
    "Agents That Ask Before They Act",
    "When should a program that works on its own stop and ask? This sample paper lets it ask "
    "whenever two plans of equal merit end in different places, and counts how often people mind.",
    organisation="A University",
)
SPEECH = _paper(
    7,
    "Hearing the Room: Speech Recognition from One Microphone in a Crowd",
    "One microphone hears everybody. The sample model first guesses who speaks, then what is said.",
    authors=("Author One", "Author Two", "Author Three"),
)
PAPERS = (EXPERTS, ADAPTERS, RETRIEVAL, BENCHMARK, VISION, AGENTS)  # best first


def _reason(interest: str, term: str, field: str, points: int) -> Reason:
    return Reason(interest=interest, term=term, field=field, points=points)


def _trend(points: int) -> Reason:
    return Reason(interest=None, term="trend", field=None, points=points)


_SHARES = {  #: by the last digit of a paper's id
    EXPERTS.id: (
        as_share(
            _reason("Mixture of experts", "mixture of experts", "title", 2_100),
            _reason("Mixture of experts", "router", "abstract", 1_000),
        ),
        as_share(_trend(600)),
    ),
    ADAPTERS.id: (
        as_share(
            _reason("Fine-tuning", "fine-tuning", "title", 1_400),
            _reason("Fine-tuning", "LoRA", "abstract", 1_200),
        ),
        as_share(_reason("Mixture of experts", "adapters", "title", 300)),
        as_share(_trend(-40)),
    ),
    RETRIEVAL.id: (
        as_share(_reason("Retrieval", "retrieval", "title", 1_900)),
        as_share(_trend(20)),
    ),
    BENCHMARK.id: (
        as_share(_reason("Long context", "long contexts", "abstract", 1_100)),
        as_share(_trend(300)),
    ),
    VISION.id: (as_share(_reason("Mixture of experts", "tokens", "abstract", 900)),),
    AGENTS.id: (as_share(_reason("Retrieval", "program", "abstract", 700)),),
    SPEECH.id: (as_share(_trend(340)),),
}


def _entry(paper: Paper, **known: object) -> Entry:
    shares = _SHARES[paper.id % 10]
    entry = Entry(
        paper=paper,
        signals=Signals(featured_on=DAY, upvotes=43, comments=1, stars=1_204),
        points=sum(reason.points for reason in flattened(shares)),
        shares=shares,
    )
    return entry._replace(**known)  # type: ignore[arg-type]


def _edition(*entries: Entry, considered: int = 43, remarks: str = "") -> Edition:
    matched = sum(entry.section is Section.MATCH for entry in entries)
    return Edition(
        subscriber="reader",
        local_date=DAY,
        composed_at=datetime(2025, 3, 14, 7, 30, tzinfo=UTC),
        considered=considered,
        matched=matched,
        entries=entries,
        cut=500,
        remarks=remarks,
    )


def _matched(*papers: Paper) -> tuple[Entry, ...]:
    return tuple(
        _entry(paper, signals=Signals(featured_on=DAY, upvotes=upvotes, comments=upvotes // 9))
        for upvotes, paper in enumerate(papers, 2)
    )


_NORMAL = (
    _entry(
        EXPERTS,
        signals=Signals(featured_on=DAY, upvotes=112, comments=9, stars=1_204),
        before=Signals(featured_on=DAY, upvotes=64, comments=4, stars=880),
    ),
    *_matched(*PAPERS[1:]),
)
_SECTIONS = (
    *_NORMAL[:3],
    _entry(VISION, signals=Signals(featured_on=DAY, upvotes=31, late=True)),
    _entry(
        BENCHMARK,
        section=Section.CLIMBING,
        signals=Signals(featured_on=date(2025, 3, 12), upvotes=240, comments=31, stars=5_100),
        before=Signals(featured_on=date(2025, 3, 12), upvotes=12, comments=2, stars=90),
    ),
    _entry(SPEECH, section=Section.STRETCH),
)
_FORTY = [
    replace(
        paper,
        id=n * 10 + paper.id,
        uid=f"{paper.uid}-{n}",
        title=f"{paper.title}: Part {n}",
        url=f"{paper.url}/{n}",
    )
    for paper in PAPERS
    for n in range(1, 8)
][:40]
_SCRIPTS = (
    replace(
        EXPERTS,
        title="نماذج اللغة الكبيرة وخليط الخبراء (MoE): دراسة تجريبية",
        abstract="هذا نص تجريبي يصف ورقة غير موجودة. يوزع النموذج الكلمات على عدة خبراء، ثم يجمع "
        "إجاباتهم. نستخدم LoRA للضبط الدقيق، ونعرض مثالاً واحداً.",
        organisation="جامعة ما",
    ),
    replace(
        ADAPTERS,
        title="混合专家模型的高效微调：不需要空格也能换行的示例标题",
        abstract="这是一段示例文字，描述一篇并不存在的论文。模型把每个词交给不同的专家，再把答案合在一起。"
        "我们用 LoRA 进行微调，并说明摘要在哪里结束。文字很长的时候，它应该在句号之后被截断。",
        authors=("作者一", "作者二"),
        organisation="某大学",
    ),
    replace(
        RETRIEVAL,
        title="מודל קטן עם זיכרון ארוך: LoRA בשלוש שורות",
        abstract="זהו טקסט לדוגמה בלבד. Вторая фраза написана кириллицей. Η τρίτη είναι ελληνική.",
    ),
)
_MATHS = (
    replace(
        EXPERTS,
        title=r"Bounds of $O(n \log n)$ for $\alpha < \beta$ and $\|x\|_2 > \epsilon$",
        abstract=r"We show $a<b$ & $c>d$ for all $x \in \mathbb{R}^{d}$, where "
        r"$\sum_{i=1}^{n} w_i x_i \leq \sqrt{2\pi}$. A price of $5 to $10 is no formula, and 100% of "
        r"Schr\"odinger's words survive. The loss is $$\mathcal{L} = \frac{1}{N}\sum_k \ell_k$$ as usual.",
    ),
    replace(ADAPTERS, title=r"$\ell_1$-Regularised $k$-NN in $\tilde{O}(\sqrt{n})$ Time"),
)
_CROWD = replace(EXPERTS, authors=tuple(f"Author Number {n}" for n in range(1, 301)))
_LONG = replace(
    EXPERTS,
    title="Nospace" * 214 + "no",
    abstract=f"https://example.org/{'path/' * 60} stands in this abstract, and {'so' * 200} does too.",
    organisation="Institute" * 20,
)
_MARKUP = replace(
    EXPERTS,
    title="</h2></style>--><![endif]--> {{ 7*7 }} {% raw %} <b>not bold</b>",
    abstract="<script>alert(1)</script> &lt;b&gt; &amp; <img src=x onerror=alert(1)> ]]> "
    "\u202eturned round\u202c and Z\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301. "
    + EXPERTS.abstract,
    authors=('"Doe, Author" <author@example.org>',),
)

CASES = (
    Case(
        name="normal",
        shows="a normal day",
        edition=_edition(*_NORMAL, remarks="One source answered late; its papers come next time."),
    ),
    Case(name="one", shows="one paper", edition=_edition(_NORMAL[0])),
    Case(
        name="forty",
        shows="40 papers with shorter abstracts, and more on the web",
        edition=replace(_edition(*_matched(*_FORTY), considered=1_289), matched=61),
    ),
    Case(
        name="long-title",
        shows="a title of 1,500 characters without a space",
        edition=_edition(_entry(_LONG)),
    ),
    Case(
        name="scripts",
        shows="titles in Arabic, Chinese and Hebrew",
        edition=_edition(*_matched(*_SCRIPTS)),
    ),
    Case(name="maths", shows="formulas", edition=_edition(*_matched(*_MATHS))),
    Case(name="authors", shows="300 authors", edition=_edition(_entry(_CROWD))),
    Case(
        name="nothing",
        shows="nothing matched, and what came nearest",
        edition=_edition(_entry(SPEECH, section=Section.NEAREST)),
    ),
    Case(
        name="sections",
        shows="climbing, late and stretch papers",
        edition=_edition(*_SECTIONS),
    ),
    Case(
        name="interests",
        shows="the same, in sections by interest",
        edition=_edition(*_SECTIONS),
        layout="interests",
    ),
    Case(
        name="markup",
        shows="titles and abstracts that try to be markup",
        edition=_edition(_entry(_MARKUP)),
    ),
)
