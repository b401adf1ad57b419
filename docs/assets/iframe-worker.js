// Browsers start no web worker from file:, and the search is one. Opened as files, it runs in a hidden frame instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      this.started = new Promise((resolve, reject) => {
        document.addEventListener("DOMContentLoaded", start)
        if (document.readyState !== "loading") start()
        function start() {
          if (frame.isConnected) return
          document.body.append(frame)
          const script = frame.contentDocument.createElement("script")
          frame.contentWindow.postMessage = data => worker.dispatchEvent(new MessageEvent("message", { data }))
          script.onload = () => resolve(frame.contentWindow)
          script.onerror = reject
          script.src = url
          frame.contentDocument.body.append(script)
        }
      })
      const worker = this
    }
    postMessage(data) {
      this.started.then(scope => scope.dispatchEvent(new scope.MessageEvent("message", { data })))
    }
  }
}
