import json
import shutil

import nibabel
import numpy as np
import pytest

from datamodules.integrity.check import CheckSettings, check_data_set
from pipeline import check_page
from pipeline.check_page import write_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<img src=x onerror=alert(1)> & co"


def write_case(root, name, rng, *, shape=(12, 10, 8), empty=False):
    image = rng.normal(100, 20, shape).astype(np.float32)
    label = np.zeros(shape, np.uint8)
    if not empty:
        label[2:6, 2:6, 2:6], label[7:10, 2:6, 2:6] = 1, 2
    for array, path in (
        (image, root / "imagesTr" / f"{name}_0000.nii.gz"),
        (label, root / "labelsTr" / f"{name}.nii.gz"),
    ):
        volume = nibabel.Nifti1Image(array, np.diag([2.0, 2.0, 3.0, 1.0]))
        volume.set_qform(volume.affine, 1)
        volume.set_sform(volume.affine, 1)
        nibabel.save(volume, path)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    root = tmp_path_factory.mktemp("page") / "a <b>set</b>"
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(parents=True)
    labels = {"background": 0, "left": 1, "right": 2}
    rng = np.random.default_rng(0)
    for index in range(6):
        write_case(root, f"case_{index}", rng)
    write_case(root, HOSTILE, rng, empty=True)
    (root / "imagesTr" / "case_3_0000.nii.gz").write_bytes(b"no volume")
    description = {"channel_names": {"0": "MR"}, "labels": labels, "numTraining": 7, "file_ending": ".nii.gz"}
    (root / "dataset.json").write_text(json.dumps(description))
    return check_data_set(root, CheckSettings(folds=2), tmp_path_factory.mktemp("cache"), 0)


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, result, tmp_path):
    path = tmp_path / "check.html"
    write_page(path, result)
    opened = browser.new_page()
    opened.messages, opened.requests = [], []
    opened.on("console", lambda message: opened.messages.append(message.text))
    opened.on("pageerror", lambda error: opened.messages.append(str(error)))
    opened.on("dialog", lambda dialog: (opened.messages.append(dialog.message), dialog.dismiss()))
    opened.on("request", lambda request: opened.requests.append(request.url))
    opened.goto(path.as_uri())
    yield opened
    opened.close()


def test_every_case_is_shown_with_a_picture_that_loads(page, result):
    assert page.locator(".case").count() == len(result.case_ids) == 7
    assert page.locator(".case img").count() == len(result.facts) == 6
    page.locator(".case img").last.scroll_into_view_if_needed()
    loaded = "all => Promise.all(all.map(one => one.decode().then(() => one.naturalWidth)))"
    widths = page.locator(".case img").evaluate_all(loaded)
    assert all(width > 0 for width in widths)


def test_every_finding_says_what_and_what_to_do(page, result):
    assert len(result.findings) >= 2
    shown = page.locator(".finding")
    assert shown.count() == len(result.findings)
    for finding, text in zip(result.findings, shown.all_inner_texts(), strict=True):
        assert finding.code in text
        assert finding.message in text
        assert finding.remedy in text


def test_a_finding_leads_to_its_case(page):
    page.locator(".finding a", has_text="case_3").first.click()
    assert page.evaluate("document.querySelector(':target h3').textContent") == "case_3"


def test_names_from_files_are_text_and_nothing_is_fetched_or_run(page):
    assert page.locator("h1").inner_text().endswith("a <b>set</b>")
    assert page.locator(".case h3", has_text=HOSTILE).count() == 1
    assert page.messages == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []


def test_the_search_hides_other_cases(page):
    page.locator("#words").fill("CASE_4")
    assert page.locator(".case:visible h3").all_inner_texts() == ["case_4"]
    assert page.locator("#count").inner_text() == "1 of 7 shown"


def test_cases_with_findings_come_first_and_can_be_shown_alone(page, result):
    about = {case for finding in result.findings for case in finding.cases}
    names = page.locator(".case h3").all_inner_texts()
    assert names[0] == "case_3"  # which has an error
    assert set(names[: len(about)]) == about
    page.locator("#only").check()
    assert set(page.locator(".case:visible h3").all_inner_texts()) == about


def test_structures_are_counted(page):
    rows = page.locator("tbody tr").all_inner_texts()
    assert [row.split("\t")[:2] for row in rows] == [["left", "5 of 6"], ["right", "5 of 6"]]
    assert float(rows[0].split("\t")[2]) == pytest.approx(64 * 12 / 1000, abs=0.001)  # ml


def test_a_limit_leaves_out_sound_cases_and_says_so(result, tmp_path, monkeypatch):
    monkeypatch.setattr(check_page, "MAX_CASES", 3)
    write_page(tmp_path / "check.html", result)
    text = (tmp_path / "check.html").read_text()
    assert text.count('class="case"') == 3
    assert "4 cases without a picture here" in text
    assert 'id="case-case_3"' in text


def test_a_set_that_cannot_be_read_has_a_page_all_the_same(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "cache").mkdir()
    broken = check_data_set(tmp_path / "empty", CheckSettings(), tmp_path / "cache", 0)
    write_page(tmp_path / "check.html", broken)
    assert broken.findings[0].code in (tmp_path / "check.html").read_text()
