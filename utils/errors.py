"""The one exception for mistakes that a user can mend."""


class UserError(Exception):
    """Something the user gave is wrong: main.py prints it as one line and exits with status 2.

    The message names what is wrong and where: the flag, the folder or the file.
    """
