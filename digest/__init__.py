"""digest: trending papers in your inbox, the ones you care about, and why.

The flow, which is also the map of the code::

    sources ──▶ parse ──▶ store (diff by identity, sightings) ──▶ due? ──▶ rank ──▶ edition (frozen)
                                                                                        │
                                                          ┌─────────────────────────────┤
                                                     render mail                  publish feeds
                                                          │
                                                     deliver (claim → send → mark)

`sources`, `identity`, `snapshot`, `store`, `edition`, `rank`, `render`, `feeds` and `deliver` are the stages,
with `http`, `tokens`, `metrics`, `doctor` (DNS and the mail server) and `gallery` (every shape of a mail) beside
them; none imports another. `pipeline` calls them in order. `schedule` ticks, `web` answers the links of a mail
and serves what was published. `cli` is the only place that reads the `settings`, prints or exits. `model` holds
the values that travel, `errors` what is told to people. `signals` ends a run well; at `crashpoints` tests end it badly.
"""

import os

# Our matrices are small: the threads of numpy's linear algebra would wait for each other, and double the cost.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
