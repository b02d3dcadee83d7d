"""Names of contrasts, tasks, terms and verdicts for people."""

from analysis.texts import Message

CHANCE_LABEL = Message("chance")
NO_EFFECT_LABEL = Message("no difference")

CONTRASTS = {
    "real_vs_ai": "Photograph or AI image",
    "real_vs_enhanced": "Photograph or enhanced photograph",
}
TASKS = {
    "detect_pair": "in pairs",
    "prefer_pair": "preference in pairs",
    "detect_single": "one at a time",
    "rate_single": "rating",
}
FACTORS = {
    "participant": "participants",
    "pair": "pairs",
    "item": "pairs or images",
    "real_item": "photographs",
    "ai_item": "AI images",
}
VERDICTS = {
    "supported": "Supported",
    "refuted": "Refuted",
    "undecided": "Undecided",
    "not_tested": "Not tested",
}
CLAIMS = {
    "indistinguishable": "People cannot tell them apart",
    "prefers_ai": "People prefer the AI side",
    "more_appealing": "AI images are more appealing",
    "beauty_features": "Measurable features explain what is liked",
    "gut_reaction": "The AI advantage is a gut reaction",
    "disclosure_effect": "Labels change what is liked",
    "generator_gap": "Generators differ",
    "open_vs_closed": "Open and closed generators differ",
    "calibrated": "People know how well they do",
}
FEATURES = {
    "mirror_symmetry": "symmetry",
    "colourfulness": "colourfulness",
    "rms_contrast": "contrast",
    "sharpness": "sharpness",
    "entropy": "entropy",
    "spectral_slope": "spectral slope",
    "saturation": "saturation",
    "brightness": "brightness",
}
QUESTIONS = {
    "detectability": "Can people tell them apart?",
    "preference": "Which do people prefer?",
    "appeal": "Which do people find more appealing?",
    "dose": "How much enhancement is liked before it is noticed?",
    "features": "What makes an image liked?",
    "exposure": "Is it a gut reaction?",
    "disclosure": "What do labels do?",
    "generators": "Which generators do best?",
    "confidence": "Do people know how well they do?",
}


def contrast_label(contrast: str) -> Message:
    """What is compared, for people."""
    return Message(CONTRASTS[contrast])


def task_label(task: str) -> Message:
    """How it was asked, for people."""
    return Message(TASKS[task])


def factor_label(factor: str) -> Message:
    """What a random factor's levels are, for people."""
    return Message(FACTORS[factor])


def where(contrast: str, task: str) -> Message:
    """Contrast and task, for people."""
    values = {"contrast": contrast_label(contrast), "task": task_label(task)}
    return Message("{contrast}, {task}", values)


def claim_label(claim: str) -> Message:
    """The claim, with its contrast and task where its id has them."""
    base, *rest = claim.split(":")
    names = [Message({**CONTRASTS, **TASKS}[part]) for part in rest]
    if not names:
        return Message(CLAIMS[base])
    detail = names[0]
    for name in names[1:]:
        detail = Message("{first}, {second}", {"first": detail, "second": name})
    return Message("{claim} ({detail})", {"claim": Message(CLAIMS[base]), "detail": detail})
