"""Streamlit asks nobody on the network about this machine."""

from streamlit import net_util


def ask_nobody() -> None:
    """Take away Streamlit's look-up of this machine's public address.

    It asks a service of others, over plain HTTP, whenever a page from elsewhere knocks, to see
    whether that page may be this server's own. Without an answer it is refused, which is right.
    """
    net_util.get_external_ip = lambda: None
    net_util.get_internal_ip = lambda: None
