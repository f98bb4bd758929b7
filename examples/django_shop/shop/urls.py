"""The paths of the shop."""

from django.urls import path

from shop import views

urlpatterns = [path("orders", views.orders), path("orders/new", views.place)]
