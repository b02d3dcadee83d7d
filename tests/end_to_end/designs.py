"""Small studies for the browser: the demo's tasks in short, and every other kind of task."""

from dataclasses import replace

from survey import demo
from survey.design import Block, Choice, Question, Study

LANGUAGES = ("en", "ja")


def both(english: str, japanese: str) -> dict[str, str]:
    """One text in both languages."""
    return {"en": english, "ja": japanese}


def texts(title: str, japanese: str) -> dict[str, dict[str, str]]:
    """A study's texts, as short as they may be."""
    return {
        "en": {
            "title": title,
            "summary": "A short study.",
            "consent": "You look at pictures and answer questions. **You may stop at any time.**",
            "consent_version": "1",
            "contact": "lab@example.org",
            "debrief": "Some of the pictures came from an AI.",
        },
        "ja": {
            "title": japanese,
            "summary": "短い調査です。",
            "consent": "写真を見て、質問に答えていただきます。**いつでもやめられます。**",
            "consent_version": "1",
            "contact": "lab@example.org",
            "debrief": "一部の画像はAIによるものでした。",
        },
    }


def instructions(english: str, japanese: str, **more: dict[str, object]) -> dict[str, dict]:
    """A block's texts."""
    return {
        "en": {"instructions": english, **more.get("en", {})},
        "ja": {"instructions": japanese, **more.get("ja", {})},
    }


SHORT = Study(
    slug="short",
    languages=LANGUAGES,
    texts=texts("A short study", "短い調査"),
    minimum_age=18,
    duration_minutes=2,
    share_stimuli=True,
    display_width=1024,
    display_height=768,
    blocks=(
        Block(
            key="liking",
            task="prefer_pair",
            trials=4,
            texts=instructions(
                "## Which do you like?\n\nChoose the picture that appeals to you.",
                "## どちらが好きですか\n\n心がひかれるほうを選んでください。",
                en={"hint": "Go by your first impression."},
                ja={"hint": "ぱっと見て、心がひかれるほうを選んでください。"},
            ),
        ),
        Block(
            key="finding",
            task="detect_pair",
            trials=2,
            practice=1,
            feedback="practice",
            confidence_steps=4,
            texts=instructions(
                "## Find the AI\n\nOne of the two was made or changed by an AI.",
                "## AIを見つけてください\n\nどちらか一方は、AIが作ったか手を加えたものです。",
            ),
        ),
    ),
    background=(
        Question(
            key="age",
            kind="choice",
            texts=both("How old are you?", "年齢を教えてください。"),
            choices=(
                Choice("18-29", both("18 to 29", "18〜29歳")),
                Choice("30", both("30 or older", "30歳以上")),
            ),
        ),
        Question(
            key="tools",
            kind="multiple",
            texts=both("Which of these do you use?", "使っているものはどれですか。"),
            choices=(
                Choice("camera", both("A camera", "カメラ")),
                Choice("phone", both("A phone", "スマートフォン")),
            ),
        ),
        Question(key="years", kind="number", texts=both("Years of photography", "写真歴(年)")),
        Question(
            key="seen",
            kind="text",
            required=True,
            texts=both("Had you seen any of them?", "見たことのある画像はありましたか。"),
        ),
    ),
)

SCALE = {"low": "not at all", "high": "very much"}
SCALE_JA = {"low": "まったく", "high": "とても"}

EVERY_TASK = Study(
    slug="every-task",
    languages=LANGUAGES,
    texts=texts("Every task", "すべての課題"),
    duration_minutes=3,
    share_stimuli=False,
    display_width=1024,
    display_height=768,
    blocks=(
        Block(
            key="single",
            task="detect_single",
            trials=2,
            feedback="each",
            confidence_steps=101,
            reasons=("detail", "light", "intuition"),
            texts=instructions(
                "## One picture",
                "## 画像は一枚です",
                en={"reasons": {"detail": "Details", "light": "Light", "intuition": "A feeling"}},
                ja={"reasons": {"detail": "細部", "light": "光と影", "intuition": "なんとなく"}},
            ),
        ),
        Block(
            key="rating",
            task="rate_single",
            question="appeal",
            trials=2,
            scale_steps=7,
            texts=instructions(
                "## How beautiful?",
                "## どのくらい美しいですか",
                en={"prompt": "How beautiful is this picture?", **SCALE},
                ja={"prompt": "この画像はどのくらい美しいですか。", **SCALE_JA},
            ),
        ),
        Block(
            key="glance",
            task="prefer_pair",
            trials=1,
            exposures_ms=(200,),
            ties=True,
            texts=instructions("## Only a glance", "## 一瞬だけ"),
        ),
        Block(
            key="labels",
            task="prefer_pair",
            trials=1,
            disclosures=("true_labels",),
            texts=instructions("## With labels", "## ラベルつき"),
        ),
    ),
)

#: Others have taken part in this one.
CROWD = replace(SHORT, slug="crowd", background=())

#: Two pictures have to find room beside each other.
LARGE_SCREENS = replace(SHORT, slug="large-screens", allow_small_screens=False)

#: The pictures want the whole screen.
WHOLE_SCREEN = replace(SHORT, slug="whole-screen", fullscreen="ask")
WINDOW = replace(SHORT, slug="window", fullscreen="off")

_learn = demo.demo_design(demo.LESSON)

#: The demo's lesson, as short as its curve allows.
LESSON = replace(_learn, blocks=(replace(_learn.blocks[0], trials=8),))
