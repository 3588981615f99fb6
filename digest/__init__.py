"""digest: trending papers in your inbox, the ones you care about, and why.

The flow, which is also the map of the code::

    sources ──▶ parse ──▶ store (diff by identity, sightings) ──▶ due? ──▶ rank ──▶ edition (frozen)
                                                                                        │
                                                          ┌─────────────────────────────┤
                                                     render mail                  publish feeds
                                                          │
                                                     deliver (claim → send → mark)

`sources`, `identity`, `snapshot`, `store`, `edition`, `rank`, `render`, `feeds` and `deliver` are the stages,
with `http`, `tokens`, `metrics`, `doctor` (what is wrong, and its cure), `gallery` (each shape of a mail) and `archive`
(backups) beside them; none imports another. `pipeline` calls them in order: in one pass, or piece by piece as the jobs
of `workers` ask for it. `schedule` ticks. `web` shows the pages, the feeds and the API, takes what people send, and
reads interests by the rules of `settings`; `cli` reads all other `settings`, and alone prints or exits. `model` holds
the values that travel, `facts` how the service is, `errors` what is told to people. `signals` ends a run well, and
at `crashpoints` tests end it badly; `memory` keeps it small.
"""

import os

# Our matrices are small: the threads of numpy's linear algebra would wait for each other, and double the cost.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
