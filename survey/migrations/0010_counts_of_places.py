from collections import Counter

from django.db import migrations, models


def count(apps, _editor):
    """What was counted at each start so far."""
    participants = apps.get_model('survey', 'Participant').objects.filter(is_simulated=False)
    for allocation in apps.get_model('survey', 'Allocation').objects.all():
        people = participants.filter(study=allocation.study_id)
        allocation.places = people.filter(holds_place=True).count()
        allocation.numbers = Counter(people.values_list('condition', flat=True).iterator())
        allocation.save(update_fields=['places', 'numbers'])


class Migration(migrations.Migration):

    dependencies = [
        ('survey', '0009_images_in_the_background'),
    ]

    operations = [
        migrations.AddField('allocation', 'places', models.PositiveIntegerField(default=0)),
        migrations.AddField('allocation', 'numbers', models.JSONField(default=dict)),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]
