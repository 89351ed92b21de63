"""A headless Chromium that talks to nobody but the page it was sent to."""

from __future__ import annotations

import contextlib
import shutil
import time

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


def why_no_browser():
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

    def __init__(self, profile, width=1440, height=1000):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for switch in (*_SWITCHES, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.driver.set_page_load_timeout(60)

    def close(self):
        self.driver.quit()

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def open(self, url):
        """Always anew: MLflow's page does not read an address that differs only behind the #."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def quiet_mlflow(self, root):
        """Close the assistant's panel, which opens at the first visit and covers a third of the page."""
        self.driver.get(f"{root}/version")
        for key, value in (("fab.autoOpenedOnFirstLoad_v1", "true"), ("panelOpen_v1", "false")):
            self.run("localStorage.setItem(arguments[0], arguments[1])", f"mlflow.assistant.{key}", value)

    def wait(self, script, what, seconds=45):
        """Until a script returns something true; that."""
        deadline = time.monotonic() + seconds
        found = None
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):  # the page is being replaced
                if found := self.run(script):
                    return found
            time.sleep(0.2)
        raise AssertionError(f"{what} did not show within {seconds} seconds; the page says: {self.text()[:1500]}")

    def text(self):
        return self.run("return document.body.innerText")

    def logs(self, kind):
        return self.driver.get_log(kind)

    def size(self, width, height, *, mobile=False):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if mobile else 1, "mobile": mobile}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def color_scheme(self, value):
        features = [{"name": "prefers-color-scheme", "value": value}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def picture(self, path):
        self.driver.save_screenshot(str(path))
