"""A headless Chromium that talks to nobody but the page it was sent to."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
DRIVER = shutil.which("chromedriver")

_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
)


def why_no_browser() -> str:
    """ "" if there is one."""
    if CHROMIUM is None or DRIVER is None:
        return "no chromium and chromedriver here: apt-get install chromium chromium-driver"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed: pip install -e '.[test]'"
    return ""


class Page:
    """What the tests, and the pictures of the documentation, ask of a browser."""

    def __init__(self, profile: str | Path, width: int = 1440, height: int = 1000) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        for switch in (*_SWITCHES, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.driver.set_page_load_timeout(60)

    def close(self) -> None:
        self.driver.quit()

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def open(self, url: str) -> None:
        """Always anew: MLflow's page does not read an address that differs only behind the #."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def quiet_mlflow(self, root: str) -> None:
        """Close the assistant's panel, which opens at the first visit and covers a third of the page."""
        self.driver.get(f"{root}/version")
        for key, value in (("fab.autoOpenedOnFirstLoad_v1", "true"), ("panelOpen_v1", "false")):
            self.run("localStorage.setItem(arguments[0], arguments[1])", f"mlflow.assistant.{key}", value)

    def wait(self, script: str, what: str, seconds: float = 45) -> Any:
        """Until a script returns something true; that."""
        deadline = time.monotonic() + seconds
        found = None
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):  # the page is being replaced
                if found := self.run(script):
                    return found
            time.sleep(0.2)
        raise AssertionError(f"{what} did not show within {seconds} seconds; the page says: {self.text()[:1500]}")

    def text(self) -> str:
        return str(self.run("return document.body.innerText"))

    def logs(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.driver.get_log(kind)
        return found

    def size(self, width: int, height: int, *, mobile: bool = False) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if mobile else 1, "mobile": mobile}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def color_scheme(self, value: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": value}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def picture(self, path: Path) -> None:
        self.driver.save_screenshot(str(path))
