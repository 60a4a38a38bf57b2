"""Removes English and Hindi stop words from a text.

Section 3.2 of Team Noir at Factify 2 (Zhang et al., De-Factify 2023), which names no list. These
are articles, pronouns, prepositions, conjunctions and auxiliaries. Words of negation (not, no,
never; नहीं, न, मत) are in no list here, though they are in the
usual ones: whether a document refutes a claim may hang on them.
"""

from __future__ import annotations

from trainables.engine.text_data import words


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGLISH = _listed(
    """
    a about above after again all also am an and any are as at be because been before being below
    between both but by can could did do does doing down during each few for from further had has
    have having he her here hers herself him himself his how i if in into is it its itself just me
    more most my myself of off on once only or other our ours ourselves out over own same she
    should so some such than that the their theirs them themselves then there these they this
    those through to too under until up very was we were what when where which while who whom why
    will with would you your yours yourself yourselves i'm i've i'll i'd you're you've you'll he's
    she's it's we're we've we'll they're they've they'll that's there's here's what's who's let's
    """
)
HINDI = _listed(
    """
    का के की को से में पर ने है हैं था थे थी थीं हो होता होती होते हुआ हुई हुए हूँ हूं और या एक यह
    ये वह वे इस इसे इसका इसके इसकी इसमें इन इनका इनके इनकी उस उसे उसका उसके उसकी उसमें उन उनका
    उनके उनकी उन्हें इन्हें जो जिस जिसे जिसका जिसके जिसकी जिन तो भी ही कि तक साथ लिए लिये द्वारा
    कर करके करता करती करते करना किया किए की गई गए गया गयी जा जाता जाती जाते रहा रही रहे वाला वाले
    वाली अपना अपने अपनी आप हम हमें हमारा हमारे हमारी मैं मुझे मेरा मेरे मेरी तुम तुम्हें तू कुछ
    कोई किसी कब कहाँ कहां क्या क्यों कैसे कौन जब तब अब यहाँ यहां वहाँ वहां जैसे ऐसे वैसे बाद पहले
    बारे अंदर बाहर ऊपर नीचे बीच अगर लेकिन मगर परंतु एवं तथा व
    """
)
_STOP = ENGLISH | HINDI


def without_stop_words(text: str) -> str:
    """Return the text without stop words; the rest is as it was."""
    parts, end = [], 0
    for match in words(text):
        if match.group().casefold().replace("\u2019", "'") in _STOP:
            parts.append(text[end : match.start()])
            end = match.end()
    if not parts:
        return text
    parts.append(text[end:])
    return " ".join("".join(parts).split())


CLEANING = without_stop_words
