"""What protection costs, and what another threshold or another design would: tried on a period's rosters, kept nowhere.

`trial` reads what is to be tried and changes the configuration in memory, `measure` protects today's tables and the
tried ones from the same counts, `chart` draws the comparison.
"""

from rnu.loss.chart import chart
from rnu.loss.measure import Comparison, Measured, compare
from rnu.loss.trial import Trial, parse

__all__ = ["Comparison", "Measured", "Trial", "chart", "compare", "parse"]
