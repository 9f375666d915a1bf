"""Made-up people, delivered as the sectors deliver, with the truth that a right run must find.

The truth comes from the people drawn, never from reading what was written: this room knows neither how a delivery is
checked nor how it is counted.

    country     which districts, how many people in each, and the blocks that are drawn one after the other
    people      who exists: households, ages, sex, documents, classification, and what time changes
    membership  who is a user of which programme
    rosters     the rows that a sector delivers: users, doubled rows, broken rows
    layouts     each sector's columns and codes; `render` turns numbers into text, `writers` text into files
    truth       what a right run must find
    generate    all of it, block by block
"""

from rnu.synthetic.generate import generate
from rnu.synthetic.truth import SourceTruth, Truth

__all__ = ["SourceTruth", "Truth", "generate"]
