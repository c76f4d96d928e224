"""The console: operators' web pages and the HTTP API. It keeps nothing and decides nothing; what it shows and does it
asks of the `desk`, so it says what the commands say.

- who may: `logins`; what is wrong with a request: `problems`; what a request bears, bounded: `requests`
- for programs: the `api`, what persons do (`acts`), and what is promised of both (`openapi`)
- for people: `pages`, of `tables` and forms
- all of it as one `application`
"""
