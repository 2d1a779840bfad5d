"""Support by a context: sentences, contradictions, spans, relevance, and the shipped coefficients."""

from __future__ import annotations

import itertools
import json
import re
import sys
import types
from importlib import resources

import numpy as np
import pandas as pd
import pytest

import dfevals.evaluators as ev
from dfevals.evaluators.overlap import FEATURES, SIGNS, ContextIndex, overlap_features
from dfevals.evaluators.support import load_model, model_from
from dfevals.evaluators.tokens import sentences, tokens
from dfevals.exceptions import DataError

CONTEXT = (
    "Paris is the capital of France and its largest city. The Eiffel Tower, completed in 1889, is 330 metres tall. "
    "It was not designed by Gustave Eiffel himself. Dr. A. B. Roe wrote about it on 2014-09-25."
)


@pytest.mark.parametrize(
    "response",
    [
        "Paris is the capital of France.",
        "The Eiffel Tower is 330 metres tall.",
        "The capital of France is Paris, which is its largest city.",
        "Dr. Roe wrote about it on September 25, 2014.",
        "Paris",
        "330 metres",
    ],
)
def test_what_the_context_says_is_supported(response: str) -> None:
    found = ev.Groundedness().evaluate(response=response, context=CONTEXT)
    assert found.passed
    assert found.score > 0.5
    assert found.spans == ()


@pytest.mark.parametrize(
    ("response", "named"),
    [
        ("The Eiffel Tower is 300 metres tall.", "300 (context: 330)"),
        ("The Eiffel Tower was completed in 1789.", "1789 (context: 1889)"),
        ("London is the capital of France.", "London (context: Paris)"),
        ("It was designed by Gustave Eiffel himself.", "a negation differs"),
        ("The Colosseum in Rome seats 50,000.", "not in the context"),
        ("Lyon", "unsupported"),
    ],
)
def test_what_the_context_contradicts_or_lacks_is_named(response: str, named: str) -> None:
    found = ev.Groundedness().evaluate(response=response, context=CONTEXT)
    assert found.passed is False
    assert named in found.reason
    assert found.spans == ((0, len(response)),)


@pytest.mark.parametrize(
    ("response", "context", "named"),
    [
        ("The cup was won by Nepal in 2004.", "The cup was won by Sri Lanka in 2004.", "Nepal (context: Sri Lanka)"),
        ("Nepal won the cup in 2004.", "Sri Lanka won the cup in 2004.", "Nepal (context: Sri Lanka)"),
        ("The treaty with New York was signed in 1999.", "The treaty with San Francisco was signed in 1999.",
         "New York (context: San Francisco)"),
        ("The bridge was opened by Angela Merkel in 2011.", "The bridge was opened by Gerhard Anton Schröder in 2011.",
         "Angela Merkel (context: Gerhard Anton Schröder)"),
        ("The fair of Lyon, Rome and Bonn ended early.", "The fair of Paris, Rome and Bonn ended early.", "Lyon (context: Paris)"),
        ("Acme Corp made 1881 anvils in Paris.", "Acme Corp made 1880 anvils in Paris.", "1881 (context: 1880)"),
    ],
)  # fmt: skip
def test_contradicting_names_are_named_whole_and_once(response: str, context: str, named: str) -> None:
    found = ev.Groundedness().evaluate(response=response, context=context)
    assert found.reason.split("contradicted: ")[1] == named


def test_spans_are_the_unsupported_sentences() -> None:
    response = "Paris is the capital of France. Pigs flew to the moon in 1969! The Eiffel Tower is 330 metres tall."
    found = ev.Groundedness().evaluate(response=response, context=[CONTEXT])
    assert found.spans is not None
    assert [response[a:b] for a, b in found.spans] == ["Pigs flew to the moon in 1969!"]
    assert found.reason.startswith("1 of 3 sentences unsupported")
    out = ev.annotate(pd.DataFrame({"response": [response], "context": [CONTEXT]}), ev.Groundedness(), progress=False)
    assert json.loads(str(out.frame["groundedness_spans"].iloc[0])) == [list(found.spans[0])]


def test_more_support_never_hurts_a_sentence() -> None:
    claim = "Ann Roe founded Acme in Paris in 1880."
    parts = ["Acme makes anvils.", "Ann Roe lives in Paris.", "Acme was founded by Ann Roe in Paris in 1880."]
    scores = [ev.Groundedness().evaluate(response=claim, context=parts[: n + 1]).score for n in range(3)]
    assert scores == sorted(scores)
    assert scores[0] < 0.5 < scores[2]


def test_a_sentence_copied_from_the_context_is_supported_and_a_negated_copy_is_not() -> None:
    assert ev.Groundedness().evaluate(response="Paris is the capital of France.", context=CONTEXT).score == 0.97
    negated = ev.Groundedness().evaluate(response="Designed by Gustave Eiffel himself.", context=CONTEXT)
    assert negated.score <= 0.4


def test_hallucination_score_is_the_complement() -> None:
    roles = {"response": "Paris is the capital of Spain.", "context": CONTEXT}
    grounded, hallucinated = ev.Groundedness().evaluate(**roles), ev.HallucinationScore().evaluate(**roles)
    assert hallucinated.score == pytest.approx(1 - grounded.score)
    assert hallucinated.passed is grounded.passed


def test_hallucination_score_marks_the_sentences_that_groundedness_marks() -> None:
    roles = {
        "response": "Acme was founded in 1880 by Ann Roe. It may make wooden anvils. Pigs can fly over the moon.",
        "context": "Acme was founded in 1880 in Paris by Ann Roe. It makes anvils.",
    }
    counts = set()
    for mark in (0.1, 0.5, 0.75, 0.9):
        grounded = ev.Groundedness(pass_at=mark).evaluate(**roles)
        hallucinated = ev.HallucinationScore(pass_at=1 - mark).evaluate(**roles)
        assert (hallucinated.spans, hallucinated.reason) == (grounded.spans, grounded.reason)
        assert hallucinated.passed == grounded.passed
        counts.add(len(grounded.spans or ()))
    assert len(counts) > 1


def test_context_recall_with_the_mark_zero_marks_nothing() -> None:
    found = ev.ContextRecall(pass_at=0.0).evaluate(reference="Pigs can fly.", context="Acme makes anvils.")
    assert found.passed
    assert "unsupported" not in found.reason


@pytest.mark.parametrize("context", ["", "  ", [], ["", " "], None, 3, float("nan"), [None]])
def test_a_context_that_is_none_is_an_error(context: object) -> None:
    assert ev.Groundedness().evaluate(response="Paris.", context=context).error


@pytest.mark.parametrize("response", ["", "  ", "...", "🙂"])
def test_a_response_without_words_is_an_error(response: str) -> None:
    assert "no words" in str(ev.Groundedness().evaluate(response=response, context=CONTEXT).error)


def test_contexts_may_be_lists_records_arrays_and_json() -> None:
    expected = ev.Groundedness().evaluate(response="Acme makes anvils.", context=["Acme makes anvils.", "Pigs eat."])
    for context in (
        np.array(["Acme makes anvils.", "Pigs eat."], dtype=object),
        '["Acme makes anvils.", "Pigs eat."]',
        [{"text": "Acme makes anvils."}, {"page_content": "Pigs eat."}],
    ):
        assert ev.Groundedness().evaluate(response="Acme makes anvils.", context=context) == expected


def test_other_models_can_be_passed_in() -> None:
    roles = {"response": "Felines are pets.", "context": "Cats live with people."}
    assert ev.Groundedness().evaluate(**roles).passed is False
    assert ev.Groundedness(nli=lambda premise, hypothesis: {"entailment": 0.97}).evaluate(**roles).score == 0.97
    same = ev.Groundedness(embed=lambda texts: np.ones((len(texts), 3))).evaluate(**roles)
    assert same.score == pytest.approx((1 + ev.Groundedness().evaluate(**roles).score) / 2)
    assert "nli must return" in str(ev.Groundedness(nli=lambda p, h: "yes").evaluate(**roles).error)
    assert "one vector per text" in str(ev.Groundedness(embed=lambda texts: np.ones(3)).evaluate(**roles).error)
    with pytest.raises(DataError, match="embed must be a function"):
        ev.Groundedness(embed="model")


def test_sentence_embedding_loads_late_and_embeds_each_text_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class SentenceTransformer:
        def __init__(self, name: str) -> None:
            assert name == "folder"

        def encode(self, texts: list[str], **options: object) -> np.ndarray:
            seen.extend(texts)
            return np.array([[len(text), 1.0] for text in texts])

    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    embed = ev.SentenceEmbedding("folder")
    with pytest.raises(DataError, match="needs the library sentence-transformers"):
        embed(["a"])
    monkeypatch.setitem(
        sys.modules, "sentence_transformers", types.SimpleNamespace(SentenceTransformer=SentenceTransformer)
    )
    assert embed(["a", "bb", "a"]).tolist() == [[1, 1], [2, 1], [1, 1]]
    assert ev.Groundedness(embed=embed).evaluate(response="Felines.", context="Cats live.").error is None
    assert seen.count("a") == 1


def test_context_recall_and_relevance() -> None:
    assert ev.ContextRecall().evaluate(reference=["Lyon is big.", "Paris is the capital."], context=CONTEXT).passed
    assert ev.ContextRecall().evaluate(reference="Rome has seven hills.", context=CONTEXT).passed is False
    check = ev.ContextRelevance()
    assert check.evaluate(prompt="How tall is the Eiffel Tower?", context=CONTEXT).passed
    assert check.evaluate(prompt="Who composed the opera Carmen?", context=CONTEXT).passed is False
    assert "no content words" in str(check.evaluate(prompt="what?", context=CONTEXT).error)


def test_answer_relevancy() -> None:
    check = ev.AnswerRelevancy()
    assert check.evaluate(prompt="When was the tower built?", response="In 1889").passed
    assert check.evaluate(prompt="Who wrote Faust?", response="Goethe").passed
    assert check.evaluate(prompt="Is Mars red?", response="Yes.").passed
    assert check.evaluate(prompt="How do vaccines work?", response="My favourite colour is blue today.").passed is False
    open_, refused = (
        check.evaluate(prompt="Explain how vaccines train immunity", response=text).score
        for text in ("Vaccines train immunity.", "I'm sorry, but I cannot explain how vaccines train immunity.")
    )
    assert refused < open_


@pytest.mark.parametrize(
    ("response", "context", "passed"),
    [
        ("巴黎是法国的首都。", "巴黎是法国的首都，也是最大的城市。", True),
        ("东京是日本的首都。", "巴黎是法国最大的城市，位于塞纳河畔。", False),
        ("Париж является столицей Франции.", "Париж является столицей Франции и крупнейшим городом.", True),
        ("Paris ist die Hauptstadt von Frankreich.", "Paris ist die Hauptstadt von Frankreich an der Seine.", True),
        ("Le chat dort sous la table.", "Paris ist die Hauptstadt von Frankreich.", False),
    ],
)
def test_other_languages(response: str, context: str, passed: bool) -> None:
    assert ev.Groundedness().evaluate(response=response, context=context).passed is passed


def test_sentences_and_tokens() -> None:
    text = "Dr. A. B. Roe met J. Doe. They left at 5 p.m. Nobody saw.\nEnd"
    assert [text[a:b] for a, b in sentences(text)][-1] == "End"
    assert text[slice(*sentences(text)[0])] == "Dr. A. B. Roe met J. Doe."
    assert {token.key for token in tokens("in 2018–19 and 1,250")} >= {"2018", "2019", "1250"}
    assert sentences("") == []


def test_the_shipped_coefficients_fit_the_features_and_the_documented_figures() -> None:
    raw = json.loads(resources.files("dfevals.evaluators").joinpath("models/groundedness.json").read_text("utf-8"))
    assert tuple(raw["features"]) == FEATURES
    index = ContextIndex([CONTEXT])
    values, _ = overlap_features(tokens("Paris is the capital."), index, load_model().weight)
    assert len(values) == len(FEATURES)
    with pytest.raises(ValueError, match="other features"):
        model_from({**raw, "features": ["x"]})
    figures = raw["measured"]
    assert figures["wice_supported"][0] >= 0.80
    assert figures["wice_not_supported"][0] >= 0.955
    for name, sign in SIGNS.items():  # more overlap never speaks against support
        for part in ("any_support", "full_support"):
            assert raw[part][1 + FEATURES.index(name)] * sign >= 0
    rivals = [v for k, v in figures.items() if k.startswith("halueval_") and isinstance(v, float)]
    assert figures["halueval"][1] > max(rivals)
    written = re.sub(r"\s+", " ", ev.Groundedness.__doc__ or "")
    assert figures["halueval"][0] == 1.0
    assert "it is 1.000" in written
    for name in ("wice_supported", "wice_not_supported"):
        value, low, high = (f"{number:.3f}".lstrip("0") for number in figures[name])
        assert f"{value} [{low}, {high}]" in written


def test_no_texts_are_shipped() -> None:
    weights = load_model().weights
    assert all(" " not in key for key in weights)
    assert len(weights) < 5000


def test_a_long_sentence_is_read_in_pieces_that_cover_it() -> None:
    words = [f"word{number}" for number in range(100)]
    index = ContextIndex([" ".join(words)])
    assert set().union(*index.keys) == {token.key for token in tokens(" ".join(words))}
    assert len(index.keys) > 1
    assert max(map(len, index.keys)) <= 25
    assert set(index.source) == {0}
    assert ev.Groundedness().evaluate(response=" ".join(words[20:60]), context=" ".join(words)).score >= 0.97


SPEECHES = {
    "Thai": (
        "เมืองหลวงของประเทศไทยคือกรุงเทพมหานคร",
        "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย มีประชากรประมาณสิบล้านคน แม่น้ำเจ้าพระยาไหลผ่านเมือง",
        "การทำขนมปังต้องใช้แป้งสาลี ยีสต์ และน้ำอุ่น นวดแป้งจนเนียนแล้วพักไว้หนึ่งชั่วโมง",
        "ธนาคารกลางประกาศขึ้นอัตราดอกเบี้ยนโยบายเพื่อควบคุมเงินเฟ้อในไตรมาสนี้",
    ),
    "Lao": (
        "ເມືອງຫຼວງຂອງປະເທດລາວແມ່ນນະຄອນຫຼວງວຽງຈັນ",
        "ນະຄອນຫຼວງວຽງຈັນແມ່ນເມືອງຫຼວງຂອງປະເທດລາວ ຕັ້ງຢູ່ແຄມແມ່ນ້ຳຂອງ",
        "ການເຮັດເຂົ້າຈີ່ຕ້ອງໃຊ້ແປ້ງ ແລະ ນ້ຳອຸ່ນ",
    ),
    "Khmer": (
        "រាជធានីនៃប្រទេសកម្ពុជាគឺភ្នំពេញ",
        "ភ្នំពេញគឺជារាជធានីនៃប្រទេសកម្ពុជា ហើយស្ថិតនៅតាមដងទន្លេមេគង្គ",
        "ការធ្វើនំប៉័ងត្រូវការម្សៅ និងទឹកក្តៅឧណ្ហៗ",
    ),
    "Burmese": (
        "မြန်မာနိုင်ငံ၏ မြို့တော်သည် နေပြည်တော်ဖြစ်သည်။",
        "နေပြည်တော်သည် မြန်မာနိုင်ငံ၏ မြို့တော်ဖြစ်သည်။ လူဦးရေ တစ်သန်းခန့်ရှိသည်။",
        "ပေါင်မုန့်လုပ်ရန် ဂျုံမှုန့်နှင့် ရေနွေး လိုအပ်သည်။",
    ),
    "Chinese": (
        "中华人民共和国的首都是北京。",
        "北京是中华人民共和国的首都，人口约两千二百万。长城位于北京的北部。",
        "制作面包需要面粉、酵母和温水，揉好以后静置一个小时。",
        "中央银行宣布提高政策利率，以控制本季度的通货膨胀。",
    ),
    "Japanese": (
        "日本の首都は東京です。",
        "東京は日本の首都であり、人口は約千四百万人です。隅田川が市内を流れています。",
        "パンを作るには小麦粉と酵母とぬるま湯が必要です。生地をこねて一時間休ませます。",
        "中央銀行は今四半期の物価上昇を抑えるために政策金利を引き上げると発表しました。",
    ),
    "Korean": (
        "대한민국의 수도는 서울이다.",
        "서울은 대한민국의 수도이며 인구는 약 천만 명이다. 한강이 도시를 가로질러 흐른다.",
        "빵을 만들려면 밀가루와 효모와 따뜻한 물이 필요하다. 반죽을 한 시간 동안 둔다.",
    ),
    "Hindi": (
        "भारत की राजधानी नई दिल्ली है।",
        "नई दिल्ली भारत की राजधानी है और यमुना नदी के किनारे बसी है। यहाँ लगभग दो करोड़ लोग रहते हैं।",
        "रोटी बनाने के लिए आटा, खमीर और गुनगुना पानी चाहिए। आटे को एक घंटे के लिए रख दें।",
    ),
    "Tamil": (
        "தமிழ்நாட்டின் தலைநகரம் சென்னை.",
        "சென்னை தமிழ்நாட்டின் தலைநகரம் ஆகும். இது வங்காள விரிகுடாவின் கரையில் உள்ளது.",
        "ரொட்டி செய்ய மாவு, ஈஸ்ட் மற்றும் வெதுவெதுப்பான நீர் தேவை.",
    ),
    "Arabic": (
        "عاصمة مصر هي القاهرة.",
        "القاهرة هي عاصمة مصر ويبلغ عدد سكانها نحو عشرة ملايين نسمة. يمر نهر النيل عبر المدينة.",
        "لصنع الخبز تحتاج إلى الدقيق والخميرة والماء الدافئ. اترك العجين ساعة واحدة.",
    ),
    "Russian": (
        "Столица России — Москва.",
        "Москва является столицей России, её население около тринадцати миллионов человек.",
        "Для приготовления хлеба нужны мука, дрожжи и тёплая вода. Тесто оставляют на один час.",
    ),
}


@pytest.mark.parametrize("language", SPEECHES)
def test_no_language_passes_for_its_letters_alone(language: str) -> None:
    claim, source, *others = SPEECHES[language]
    check = ev.Groundedness()
    for given, there in itertools.permutations((source, *others), 2):
        assert check.evaluate(response=given, context=there).score < 0.3
    assert check.evaluate(response=claim, context=others).score < 0.3
    assert check.evaluate(response=claim, context=[*others, source]).passed
    assert check.evaluate(response=source, context=[*others, source]).score > 0.9


def test_what_would_take_hours_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dfevals.evaluators.support._MOST_WORK", 5)
    found = ev.Groundedness().evaluate(response="It flies. It sings.", context="It flies. It runs. It swims.")
    assert "too much to compare: 2 sentences with 3 pieces" in str(found.error)
    assert ev.Groundedness().evaluate(response="It flies. It flies.", context="It flies. It runs. It swims.").passed
