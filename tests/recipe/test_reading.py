import dataclasses

import pytest
import yaml

from wsseg.errors import InputError
from wsseg.recipe import Recipe, load_recipe, to_plain


def recipe_of(tmp_path, text, *overrides):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return load_recipe(path, list(overrides))


def test_without_anything_the_defaults():
    assert load_recipe() == Recipe()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_is_the_defaults(tmp_path, text):
    assert recipe_of(tmp_path, text) == Recipe()


def test_a_file_says_only_what_it_changes(tmp_path):
    recipe = recipe_of(
        tmp_path,
        """
name: mine
dataset: {name: folder, classes: [cat, dog], options: {val_share: 0.1}}
localize: {scales: [1, 0.5], output_stride: 8}
label: {threshold: {rule: otsu}}
segment: {learning_rate: 1e-3, flip: false}
jit: true
""",
    )
    assert recipe.name == "mine" and recipe.jit is True
    assert recipe.dataset.classes == ("cat", "dog") and recipe.dataset.options == {"val_share": 0.1}
    assert recipe.localize.scales == (1.0, 0.5) and recipe.localize.output_stride == 8
    assert recipe.segment.learning_rate == 0.001 and recipe.segment.flip is False
    assert dataclasses.replace(recipe.label.threshold, rule="fixed") == Recipe().label.threshold
    assert recipe.classify == Recipe().classify


def test_the_command_line_wins(tmp_path):
    recipe = recipe_of(
        tmp_path,
        "segment: {epochs: 3, crop: 64}\ndataset: {options: {size: 64, seed: 1}}",
        "--segment.epochs",
        "5",
        "--localize.scales=[2.0]",
        "--dataset.options.size",
        "32",
        "--ceiling",
        "true",
    )
    assert (recipe.segment.epochs, recipe.segment.crop) == (5, 64)
    assert recipe.localize.scales == (2.0,) and recipe.ceiling is True
    assert recipe.dataset.options == {"size": 32, "seed": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("segmnt: {epochs: 3}", "unknown option `segmnt`; did you mean `segment`"),
        ("segment: {epoch: 3}", "unknown option `segment.epoch`; did you mean `epochs`"),
        ("label: {threshold: {levl: 0.2}}", "unknown option `label.threshold.levl`; did you mean `level`"),
        ("segment: 3", "`segment` must be a section of options; got 3"),
        ("segment:\n", "`segment` must be a section of options; got None; give it options, or remove it"),
        ("[1, 2]", "the recipe must be a section of options"),
        ("a: [", "is not valid YAML"),
        ("segment: {epochs: many}", "`segment.epochs` must be a whole number or auto; got many"),
        ("segment: {epochs: 1.5}", "`segment.epochs` must be a whole number or auto; got 1.5"),
        (
            "segment: {crf: {preset: irm}}",
            "`segment.crf.preset` must be one of irn, psa, .* did you mean `irn`",
        ),
        (
            "localize: {scales: 1.0}",
            r"`localize.scales` must be a list such as \[1.0, 2.0\] or auto; got 1.0",
        ),
        (
            "classify: {long_side: [64]}",
            r"`classify.long_side` must be a list of 2 values or auto; got \[64\]",
        ),
        ("dataset: {classes: [1]}", r"`dataset.classes` must be a list such as \[cat, dog\] or null"),
        ("jit: perhaps", "`jit` must be true or false; got perhaps"),
    ],
)
def test_what_is_wrong_in_a_file_names_the_file_and_the_option(tmp_path, text, message):
    with pytest.raises(InputError, match=f"recipe.yaml.*{message}"):
        recipe_of(tmp_path, text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--segment.epoch", "3"], "unknown option `--segment.epoch`; did you mean `epochs`"),
        (["--sead", "3"], "unknown option `--sead`; did you mean `seed`"),
        (["--segment.epochs", "x"], "`segment.epochs` must be a whole number or auto; got x"),
        (["--segment.epochs"], "expected one argument"),
        (["other.yaml"], "other.yaml"),
        (["--precision=float16"], "`precision` must be one of float32, mixed_float16"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_not_blamed_on_the_file(tmp_path, words, message):
    with pytest.raises(InputError, match=f"^command line: .*{message}"):
        recipe_of(tmp_path, "name: mine", *words)


def test_a_fault_of_the_file_is_blamed_on_it_whatever_the_command_line_says(tmp_path):
    with pytest.raises(
        InputError, match=r"recipe\.yaml: `segment.epochs` must be a whole number or auto; got many"
    ):
        recipe_of(tmp_path, "segment: {epochs: many}", "--seed", "1")


def test_no_recipe_is_left_in_the_next(tmp_path):
    text = "dataset: {options: {size: 32}}\nlabel: {crf: {parameters: {bilateral_weight: 3}}}\nsegment: {epochs: 3}"
    changed = recipe_of(tmp_path, text, "--seed", "4", "--dataset.options.seed=1")
    changed.dataset.options["size"] = 7
    with pytest.raises(InputError):
        recipe_of(tmp_path, "segment: {epochs: many}")
    assert load_recipe() == Recipe()
    load_recipe().dataset.options["size"] = 7
    assert load_recipe() == Recipe()


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(
        InputError, match=r"absent\.yaml does not exist; `wsseg recipes` lists the built-in ones"
    ):
        load_recipe(tmp_path / "absent.yaml")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        load_recipe(tmp_path)
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InputError, match=r"picture\.yaml is not valid YAML"):
        load_recipe(tmp_path / "picture.yaml")


def test_a_recipe_written_out_reads_back_the_same(tmp_path):
    words = ["--localize.scales=[0.5,1.0]", "--dataset.options.size=64", "--label.threshold.rule=otsu"]
    recipe = load_recipe(overrides=words)
    path = tmp_path / "written.yaml"
    path.write_text(yaml.safe_dump(to_plain(recipe)))
    assert load_recipe(path) == recipe


def test_plain_values_are_lists_and_dictionaries():
    plain = to_plain(Recipe())
    assert (
        plain["localize"]["scales"] == [1.0, 0.5, 1.5, 2.0] and plain["label"]["threshold"]["rule"] == "fixed"
    )

    def kinds(value):
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return {type(value)}.union(*map(kinds, inside))

    assert kinds(plain) <= {dict, list, str, int, float, bool, type(None)}


def test_recipes_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().seed = 3
