import pytest
from newsletter.model import Issue
from newsletter.render.edition import CompileInput
from newsletter.render.pipeline import compile_stages

from tests.render.conftest import Golden
from tests.render.samples import ARABIC, ISSUE, SETTINGS, SOURCE, THEME, material_of

STAGES = {
    "mjml": "mjml",
    "raw_html": "raw.html",
    "inlined_html": "inlined.html",
    "html": "html",
    "text": "txt",
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("issue", [ISSUE, ARABIC], ids=lambda issue: issue.language)
def test_each_stage_makes_what_it_made(issue: Issue, stage: str, golden: Golden) -> None:
    stages = compile_stages(CompileInput(issue, SOURCE, THEME, SETTINGS, material_of(issue)))
    golden(f"{issue.language}.{STAGES[stage]}", getattr(stages, stage))
