"""`pinguin demo`: targets on loopback that work, fail and flap, and a monitor for each of them."""

from pinguin.demo.monitors import DemoMonitor, demo_monitors
from pinguin.demo.targets import serve, serving

__all__ = ["DemoMonitor", "demo_monitors", "serve", "serving"]
