"""The judge on stories in memory: it finds nothing in any scenario of the tables, nor in those told for it.

Planted bugs are put to it here, and in the files beside it: without servers it takes seconds.
"""

import sys
from pathlib import Path

import pytest
from tables.steps import SCENARIOS, run

sys.path.append(str(Path(__file__).parent))  # the judge stands by itself: it finds its own modules beside it
from judge import CHECKS
from judged_stories import STORIES
from judging.commands import check_decisions
from memory_evidence import of_story, says_nothing

# Nobody publishes the decisions of a story.
OF_A_STORY = tuple(check for check in CHECKS if check is not check_decisions)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s.file}: {s.title}")
def test_the_judge_finds_nothing_in_any_scenario(scenario):
    books = {}
    for _, played, _ in run(scenario):
        story, books[played.rules.rulebook.hash] = played, played.rules.rulebook.content
    evidence = of_story(story, books)
    says_nothing([finding for check in OF_A_STORY for finding in check(evidence)])


@pytest.mark.parametrize("told", STORIES, ids=lambda told: told.__name__)
def test_the_judge_finds_nothing_in_a_story(told):
    story = told()
    evidence = of_story(story, {story.rules.rulebook.hash: story.rules.rulebook.content})
    says_nothing([finding for check in OF_A_STORY for finding in check(evidence)])
