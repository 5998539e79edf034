"""`edgerl demo`: opens the page of an export."""

import webbrowser
from typing import Any

from edgerl.deploy.folder import open_folder


def show(export: str, open_it: bool) -> dict[str, Any]:
    """Opens the page in the user's browser.

    Args:
      export: folder that `edgerl export` wrote.
      open_it: False: only says where the page is.
    Returns:
      page: its path. opened: whether a browser was there to open it.
    Raises:
      UserError: no export, or it has no page, or one that was changed.
    """
    page = open_folder(export).page()
    return {"page": str(page), "opened": open_it and webbrowser.open(page.resolve().as_uri())}
