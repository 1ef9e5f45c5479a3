from pipeline import exit_codes


def test_codes_are_those_that_the_help_names():
    named = {name: code for name, code in vars(exit_codes).items() if name.isupper()}
    assert named == {"DONE": 0, "FAILED": 1, "WRONG_USAGE": 2, "PARTLY_FAILED": 3, "INTERRUPTED": 130}
