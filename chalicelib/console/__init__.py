"""The console: what a person does in the browser, in pages made on the server.

Owns: addresses of pages, who is signed in, views, forms, texts, templates and static files. Not: any rule or storage; a view
calls the same services as the API's route, and shows what the API's serializers give.
"""
