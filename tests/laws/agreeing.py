"""The same machine beside the reference model (`tests/model`), which was written from the rules alone."""

from builders import micros
from laws import happenings as h
from laws.house import HOUSE
from laws.lawful import Lawful
from model.book import Book
from model.comparing import commands, differences, positions


class Agreeing(Lawful):
    """The same, and after each step the reference model's opinion."""

    def __init__(self):
        super().__init__()
        self.book = Book(HOUSE, h.PEOPLE)

    def carry(self, *records):
        super().carry(*records)
        self.book.hear(*records)
        self.agree()

    def let_pass(self, time):
        super().let_pass(time)
        self.book.pass_until(micros(self.story.now))
        self.agree()

    def agree(self):
        found = differences(positions(self.story), self.book.stands)
        assert not found, "\n".join(found)
        assert commands(self.story) == self.book.commands_on_the_wire()
